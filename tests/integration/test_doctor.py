"""`cds-service doctor` finds each fault that is put into a server, and none in a sound one."""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders import patient, searchset
from commands import run
from fhir_server import AUTHORIZATION, FHIRServer
from integration.test_profiles import SERVERS
from invented_ehr import Asked, InventedEHR, Reply, invented_ehr, refused
from servers import served
from small_service import SmallService

from cds_service import create_app
from cds_service.doctor import service as service_doctor
from cds_service.knowledge import Knowledge
from cds_service.setting_types import Issuer
from cds_service.settings import Settings

REQUESTS = sorted((Path(__file__).parents[2] / "fixtures" / "requests").glob("ad*.json"))[:3]


def found(output: str) -> str:
    """What was printed, on one line."""
    return " ".join(output.split())


# -- FHIR servers --------------------------------------------------------------------------------

SUBJECT = {"reference": "Patient/ada"}
METADATA = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}


def result(code: str, number: int = 1, /, **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"result-{code}-{number}",
        "subject": SUBJECT,
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "effectiveDateTime": f"2026-11-{20 - number:02}",
        "valueQuantity": {"value": 4, "unit": "mmol/L"},
        **members,
    }


def sound(asked: Asked, ehr: InventedEHR) -> Any:
    """A server without faults, with two results, an order and its Medication."""
    if asked.path == "metadata":
        return METADATA
    if asked.path == "Patient/ada":
        return patient()
    if asked.path == "Patient":
        return searchset(patient())
    if asked.path == "Observation":
        codes = asked.values("code")
        if "2823-3" not in codes and "code" in asked:
            return searchset()
        return searchset(result("2823-3", 1), result("2823-3", 2))
    if asked.path == "MedicationRequest":
        order = {"resourceType": "MedicationRequest", "id": "order", "subject": SUBJECT}
        return searchset(order | {"medicationReference": {"reference": "Medication/m"}})
    if asked.path == "Medication":
        return searchset({"resourceType": "Medication", "id": "m"})
    return searchset()


def only(path: str, answer: Callable[[Asked, InventedEHR], Any]) -> Any:
    """A server that is sound but for one path."""
    return lambda asked, ehr: answer(asked, ehr) if asked.path == path else sound(asked, ehr)


def changed(path: str, **members: Any) -> Any:
    return only(path, lambda asked, ehr: sound(asked, ehr) | members)


def results(*resources: Any) -> Any:
    """A server with these results instead, whatever codes are asked for."""
    return only("Observation", lambda asked, ehr: searchset(*resources))


def without(parameter: str) -> Any:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        return refused(400) if parameter in asked else sound(asked, ehr)

    return answer


def next_link(url: str) -> Any:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if "page" in asked:
            return searchset(result("2823-3", 2))
        link = [{"relation": "next", "url": url.format(base=ehr.base)}]
        return searchset(result("2823-3", 1), link=link, total=2)

    return only("Observation", answer)


def circle(asked: Asked, ehr: InventedEHR) -> Any:
    link = [{"relation": "next", "url": f"{ehr.base}/Observation?page=1"}]
    return searchset(result("2823-3"), link=link)


def kept_back(asked: Asked, ehr: InventedEHR) -> Any:
    outcome = {"resourceType": "OperationOutcome"}
    return searchset(outcome | {"issue": [{"severity": "warning", "code": "suppressed"}]})


def zipped(asked: Asked, ehr: InventedEHR) -> Any:
    body = gzip.compress(json.dumps(sound(asked, ehr)).encode())
    return Reply(body, headers={"Content-Encoding": "gzip"})


def no_lists(asked: Asked, ehr: InventedEHR) -> Any:
    return sound(asked, ehr) if "code" not in asked else searchset()


def long_lists(asked: Asked, ehr: InventedEHR) -> Any:
    return refused(414) if len(asked.values("code")) > 20 else sound(asked, ehr)


def needs_intent(asked: Asked, ehr: InventedEHR) -> Any:
    return sound(asked, ehr) if "intent" in asked else refused(400)


def html(asked: Asked, ehr: InventedEHR) -> Any:
    return Reply(b"<html>log in</html>", headers={"Content-Type": "text/html"})


def slow(asked: Asked, ehr: InventedEHR) -> Any:
    time.sleep(0.3)
    return searchset()


FHIR_FAULTS: dict[str, tuple[Any, str]] = {
    "another version of FHIR": (changed("metadata", fhirVersion="3.0.2"), "FHIR 3.0.2"),
    "a token that may not": (only("Condition", lambda a, e: refused(403)), "403: this token may"),
    "a token that is wrong": (only("Patient/ada", lambda a, e: refused(401)), "401: this token"),
    "no _sort": (without("_sort"), "400: refused as it is; without _count and without _sort"),
    "no intent": (only("MedicationRequest", needs_intent), "and with intent it is answered"),
    "long lists": (long_lists, "414: refused as it is; in parts it is answered"),
    "refused in any way": (only("Encounter", lambda a, e: refused(400)), "400: refused"),
    "a fault of its own": (only("Encounter", lambda a, e: refused(500)), "500: refused"),
    "a redirect": (only("Encounter", lambda a, e: refused(302)), "302: a redirect"),
    "a login page": (only("Condition", html), "no FHIR JSON came (text/html)"),
    "another patient": (
        only("Patient/ada", lambda a, e: patient(id="eve")),
        "another resource came",
    ),
    "an outcome": (
        only("Condition", lambda a, e: refused(200)),
        "a search is answered with OperationOutcome",
    ),
    "next elsewhere": (
        next_link("https://internal.example.org/fhir/Observation?page=2"),
        "the next link leads to internal.example.org",
    ),
    "a circle": (only("Observation", circle), "the next links go in a circle"),
    "a promise": (changed("Observation", total=7), "7 promised, 2 came"),
    "kept back": (only("Condition", kept_back), "results are kept back (suppressed)"),
    "other people": (
        only("Encounter", lambda a, e: searchset({"resourceType": "Encounter", "subject": EVE})),
        "1 are about other patients",
    ),
    "no lists of codes": (
        only("Observation", no_lists),
        "the list of codes finds nothing; the type alone finds 2",
    ),
    "no units": (
        results(result("2823-3", valueQuantity={"value": 4})),
        "1 of 1 numbers have no unit",
    ),
    "no Medication": (
        lambda a, e: (
            refused(403)
            if a.path.startswith("Medication/") or a.path == "Medication"
            else sound(a, e)
        ),
        "1 of 1 that are referred to cannot be had",
    ),
    "too slow": (only("Encounter", slow), "s, and 0.1 s are allowed"),
}
EVE = {"reference": "Patient/eve"}
FHIR_NOTES: dict[str, tuple[Any, str]] = {
    "none of a type": (
        only("MedicationStatement", lambda a, e: refused(404)),
        "404: the server has no such resources",
    ),
    "compressed": (only("Condition", zipped), "compressed, although nobody asked for it"),
    "not sorted": (
        results(result("2823-3", 2), result("2823-3", 1)),
        "_sort is ignored",
    ),
    "other codes": (results(result("999-9")), "have a code that nobody asked for"),
    "no code": (
        results(result("2823-3", code={"text": "a result"})),
        "have words and no code",
    ),
}


def look(answer: Any, *, fails: bool, **settings: str) -> str:
    with invented_ehr(answer) as ehr:
        result_ = run("doctor", "fhir", ehr.base, "--patient", "ada", fails=fails, **settings)
    assert max(map(len, result_.output.splitlines())) <= 80
    return found(result_.output)


def test_a_sound_fhir_server_has_nothing_to_mend() -> None:
    output = look(sound, fails=False)
    assert "0 to mend, 0 to know." in output
    assert "1 referred to, all found by search" in output


@pytest.mark.parametrize("name", FHIR_FAULTS)
def test_a_fault_of_a_fhir_server_is_found(name: str) -> None:
    answer, text = FHIR_FAULTS[name]
    settings = {"CDS_FHIR_TIMEOUT_MS": "150"} if name == "too slow" else {}
    output = look(answer, fails=True, **settings)
    assert text in output and "FAULT" in output


@pytest.mark.parametrize("name", FHIR_NOTES)
def test_what_is_odd_in_a_fhir_server_is_told(name: str) -> None:
    answer, text = FHIR_NOTES[name]
    assert text in look(answer, fails=False)


def test_medications_that_can_only_be_read_are_told() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if asked.path == "Medication/m":
            return {"resourceType": "Medication", "id": "m"}
        return refused(403) if asked.path == "Medication" else sound(asked, ehr)

    assert "1 of 1 can be read, but not searched" in look(answer, fails=False)


def test_without_a_patient_any_is_asked_for_and_its_id_is_not_printed() -> None:
    with invented_ehr(sound) as ehr:
        output = run("doctor", "fhir", ehr.base).output
    assert "ada" not in output and "0 to mend" in output


def test_a_server_that_is_away_is_found() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/fhir"
    output = run("doctor", "fhir", address, fails=True).output
    assert "no connection, or it was lost" in output
    assert "expected an address" in run("doctor", "fhir", "nonsense", fails=True).output


def test_a_profile_ends_what_the_doctor_finds() -> None:
    output = look(without("_sort"), fails=False, CDS_FHIR_PROFILE="us-core")
    assert "0 to mend" in output


@pytest.mark.parametrize("name", SERVERS)
def test_with_its_profile_a_server_has_nothing_to_mend(name: str) -> None:
    server = SERVERS[name]
    output = look(
        lambda asked, ehr: METADATA if asked.path == "metadata" else server(asked, ehr),
        fails=name == "hapi",
        CDS_FHIR_PROFILE=name,
    )
    if name == "hapi":
        assert "the next link leads to hapi.internal:8080" in output and "1 to mend" in output
    else:
        assert "0 to mend" in output


def test_a_real_server_ignores_the_patient_of_one_type(fhir_server: FHIRServer) -> None:
    """The small server of the tests knows no `patient` for QuestionnaireResponse, and says so in a
    remark beside everybody's."""
    token = AUTHORIZATION["access_token"]
    output = run("doctor", "fhir", fhir_server.base, "--token", str(token), fails=True).output
    assert "questionnaires: 1 are about other patients" in output and "1 to mend" in output


# -- installations -------------------------------------------------------------------------------


@dataclass
class Answered:
    """An answer on its way, which a test may spoil."""

    path: str
    method: str
    status: int
    headers: dict[str, str]
    body: bytes
    count: int
    sent: bytes = b""
    authorization: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def say(self, value: Any) -> None:
        self.body = json.dumps(value).encode()


Spoil = Callable[[Answered], None]


@contextmanager
def installation(knowledge: Knowledge, spoil: Spoil | None, **settings: Any) -> Iterator[str]:
    """The real service over HTTP, behind something that spoils its answers."""
    quiet = {"store_url": "none", "log_level": "CRITICAL"}
    app = create_app(Settings(**quiet | settings), knowledge)
    count = 0

    def spoiled(environ: dict[str, Any], start_response: Any) -> Any:
        nonlocal count
        count += 1
        response = app.test_client().open(
            environ["PATH_INFO"],
            method=environ["REQUEST_METHOD"],
            data=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
            headers={
                name.removeprefix("HTTP_").replace("_", "-").title(): text
                for name, text in environ.items()
                if name.startswith("HTTP_") or name == "CONTENT_TYPE"
            },
        )
        answered = Answered(
            environ["PATH_INFO"],
            environ["REQUEST_METHOD"],
            response.status_code,
            dict(response.headers),
            response.data,
            count,
            authorization=environ.get("HTTP_AUTHORIZATION", ""),
        )
        if spoil:
            spoil(answered)
        answered.headers["Content-Length"] = str(len(answered.body))
        start_response(f"{answered.status} X", list(answered.headers.items()))
        return [answered.body]

    with served(lambda _: spoiled) as address:
        yield address


def on(end: str, change: Callable[[Answered], None], method: str = "POST") -> Spoil:
    """Spoil the answers of one address, by the end of its path."""

    def spoil(answered: Answered) -> None:
        if answered.path.endswith(end) and answered.method == method:
            change(answered)

    return spoil


def status(code: int) -> Callable[[Answered], None]:
    def change(answered: Answered) -> None:
        answered.status = code

    return change


def header(name: str, text: str | None) -> Callable[[Answered], None]:
    def change(answered: Answered) -> None:
        answered.headers.pop(name, None)
        if text is not None:
            answered.headers[name] = text

    return change


def entry(**members: Any) -> Callable[[Answered], None]:
    def change(answered: Answered) -> None:
        answered.say({"services": [each | members for each in answered.json["services"]]})

    return change


def each_card(**members: Any) -> Callable[[Answered], None]:
    def change(answered: Answered) -> None:
        if answered.status == 200 and "cards" in answered.json:
            cards = [card | members for card in answered.json["cards"]]
            answered.say(answered.json | {"cards": cards})

    return change


def other_uuids(answered: Answered) -> None:
    if answered.status == 200:
        uuid = f"9368d37b-283f-44a0-93ea-{answered.count:012}"
        each_card(uuid=uuid)(answered)


def all_clear(answered: Answered) -> None:
    if answered.status == 412:
        answered.status, answered.body = 200, b'{"cards": []}'


def bare_errors(answered: Answered) -> None:
    if answered.status >= 400:
        answered.body = b"error"


def versions(answered: Answered) -> None:
    answered.headers["Knowledge-Version"] = str(answered.count)


SERVICE = "/anxiety-leg-weakness"
SERVICE_FAULTS: dict[str, tuple[Spoil, str]] = {
    "discovery is away": (on("/cds-services", status(502), "GET"), "502: no list of services"),
    "a redirect": (on("/cds-services", status(301), "GET"), "a redirect"),
    "a media type": (
        on("/cds-services", header("Content-Type", "text/plain"), "GET"),
        "discovery comes as text/plain",
    ),
    "no version": (
        on("/cds-services", header("Knowledge-Version", None), "GET"),
        "Knowledge-Version does not arrive",
    ),
    "not ready": (on("/ready", status(503), "GET"), "readiness: 503"),
    "no description": (on("/cds-services", entry(description=""), "GET"), "description is missing"),
    "an unknown hook": (on("/cds-services", entry(hook="chart-open"), "GET"), "not in the library"),
    "a long template": (
        on("/cds-services", entry(prefetch={"x": "Condition?code=" + "1," * 1000}), "GET"),
        "the template of x has 2015 characters",
    ),
    "a token nobody fills": (
        on("/cds-services", entry(prefetch={"x": "Condition?date={{today()}}"}), "GET"),
        "x: today() (P-4",
    ),
    "no preflight": (on(SERVICE, status(403), "OPTIONS"), "a preflight is answered with 403"),
    "no headers from browsers": (
        on(SERVICE, header("Access-Control-Allow-Headers", "content-type"), "OPTIONS"),
        "browsers may not send authorization",
    ),
    "a call fails": (on(SERVICE, status(500)), "answered with 500"),
    "a long summary": (
        on(SERVICE, each_card(summary="x" * 140)),
        "a summary of 140 characters (C-3",
    ),
    "no source": (on(SERVICE, each_card(source={})), "a source without label (SR-2"),
    "an odd indicator": (on(SERVICE, each_card(indicator="urgent")), "indicator 'urgent' (C-4"),
    "no uuid": (on(SERVICE, each_card(uuid="1")), "uuid '1' (C-6"),
    "other uuids": (on(SERVICE, other_uuids), "the same call gets other uuids"),
    "two versions": (on(SERVICE, versions), "two versions of the content"),
    "all clear": (on(SERVICE, all_clear), "without any data the answer is 200 and no card"),
    "bare errors": (on(SERVICE, bare_errors), "gets no OperationOutcome"),
    "no 404": (on("-unknown", status(200)), "an unknown service is answered with 200"),
    "no feedback": (on("/feedback", status(503)), "feedback is answered with 503"),
}


def call(base: str, *options: Any, fails: bool) -> str:
    result_ = run("doctor", "service", base, *REQUESTS, *options, fails=fails)
    assert max(map(len, result_.output.splitlines())) <= 80
    return found(result_.output)


def test_a_sound_installation_has_nothing_to_mend(cards: Knowledge) -> None:
    with installation(cards, None) as base:
        output = call(base, fails=False)
    assert "0 to mend" in output and "anybody can call" in output


def test_findings_are_had_as_json(cards: Knowledge) -> None:
    with installation(cards, None) as base:
        printed = run("doctor", "service", base, *REQUESTS, "--json", fails=False).stdout
    levels = {finding["level"] for finding in json.loads(printed)["findings"]}
    assert levels == {"ok", "note"}


@pytest.mark.parametrize("name", SERVICE_FAULTS)
def test_a_fault_of_an_installation_is_found(name: str, cards: Knowledge) -> None:
    spoil, text = SERVICE_FAULTS[name]
    with installation(cards, spoil) as base:
        output = call(base, fails=True)
    assert text in output


def test_a_clock_that_is_wrong_is_found(cards: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    later = datetime.now(UTC) + timedelta(minutes=10)
    monkeypatch.setattr("cds_service.cli.doctor.now", lambda: later)
    with installation(cards, None) as base:
        assert "its clock and ours differ by" in call(base, fails=True)
    assert "its clock and ours differ by" in look(sound, fails=True)


def test_slow_answers_are_found(cards: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_doctor, "FAST", 0.0)
    with installation(cards, None) as base:
        assert "95 % of calls take up to" in call(base, fails=True)


@pytest.fixture
def guarded(tmp_path: Path) -> dict[str, Any]:
    """The settings of a service that asks who calls, with keys of `cds-service keys`."""
    run("keys", "--folder", str(tmp_path))
    return {
        "issuers": (Issuer("https://ehr.example.org", str(tmp_path / "jwks.json")),),
        "development": True,
        "store_url": f"sqlite:///{tmp_path / 'store.sqlite3'}",
    }


def test_a_service_that_asks_who_calls_is_called_with_tokens(
    guarded: dict[str, Any], cards: Knowledge, tmp_path: Path
) -> None:
    with installation(cards, None, **guarded) as base:
        assert "401: it asks for a token" in call(base, fails=True)
        assert "0 to mend" in call(base, "--keys", tmp_path, fails=False)


def test_tokens_that_are_not_looked_at_are_found(cards: Knowledge, tmp_path: Path) -> None:
    run("keys", "--folder", str(tmp_path))
    with installation(cards, None) as base:
        output = call(base, "--keys", tmp_path, fails=True)
    for text in ("no token", "a token for another address", "nonsense", "a used token"):
        assert f"{text} is answered with 400, not 401" in output


def test_what_is_to_be_set_exists() -> None:
    folder = Path(service_doctor.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]
    named = {name for text in texts for name in re.findall(r"CDS_[A-Z_]+", text)}
    assert len(named) > 5
    assert named <= {f"CDS_{name.upper()}" for name in Settings.model_fields}


def test_at_least_20_faults_are_put_in() -> None:
    assert len(FHIR_FAULTS) >= 20 and len(SERVICE_FAULTS) >= 20


@pytest.mark.parametrize("prefetch", [["Patient/{{context.patientId}}"], "Patient", 3, True])
def test_templates_of_another_shape_are_a_fault_and_no_crash(prefetch: Any) -> None:
    class Odd(SmallService):
        def entry(self) -> dict[str, Any]:
            return super().entry() | {"prefetch": prefetch}

    with served(lambda _: Odd().app()) as address:
        output = found(run("doctor", "service", address, fails=True).output)
    assert "prefetch is no object of texts" in output
