"""The playground over HTTP: cards, reasons, changes, and what it lets nobody do."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import orjson
import pytest
from databases import sqlite_with_schema
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.playground.dates import STORY_NOW as NOW
from cds_service.playground.people import people
from cds_service.settings import Settings
from cds_service.store import Store, open_store
from cds_service.store.maintenance import counts

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
SAMUEL = "samuel-potassium-2-3"
HOSTILE = '<img src=x onerror=alert(1)>"&<script>alert(2)</script>[x](javascript:alert(3))'
ADDRESS = "/cds-services/anxiety-leg-weakness"
MULTIPART = "multipart/form-data"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(sqlite_with_schema(tmp_path / "store.sqlite3"))
    assert store is not None
    yield store
    store.close()


@pytest.fixture
def visitor(cards: Knowledge, tmp_path: Path, store: Store) -> FlaskClient:
    """Somebody in front of the playground of a service with a store."""
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    settings = Settings(store_url=url, playground=True, max_body_bytes=200_000)
    return _visit(create_app(settings, cards, lambda: NOW))


class Visitor(FlaskClient):
    """A browser says that a form comes from the page that it is on."""

    def open(self, *args: Any, headers: Any = None, **kwargs: Any) -> TestResponse:
        """The answer; without headers of its own, those of our page."""
        ours = {"Sec-Fetch-Site": "same-origin"} if headers is None else headers
        return super().open(*args, headers=ours, **kwargs)


def _visit(application: Flask) -> FlaskClient:
    application.test_client_class = Visitor
    return application.test_client()


def _play(visitor: FlaskClient, person: str = SAMUEL, **fields: Any) -> TestResponse:
    """The answer to changes of a person; `__` in a name stands for a dot."""
    data = {"person": person, "of": person, "language": "en"}
    return visitor.post(
        "/", data=data | {name.replace("__", "."): value for name, value in fields.items()}
    )


def _raw(page: TestResponse, name: str) -> Any:
    found = re.search(rf'<pre id="{name}"[^>]*>(.*?)</pre>', page.text, re.DOTALL)
    assert found is not None
    return orjson.loads(unescape(found[1]))


def _summaries(page: TestResponse) -> list[str]:
    return [card["summary"] for card in _raw(page, "raw-response")["cards"]]


def test_it_is_off_unless_an_operator_turns_it_on(cards: Knowledge) -> None:
    client = create_app(Settings(store_url="none"), cards, lambda: NOW).test_client()
    assert "Playground" not in client.get("/").text
    assert '<h2 id="rules-1">' in client.get("/").text
    assert client.post("/").status_code == 405


@pytest.fixture(scope="module")
def guest(cards: Knowledge) -> FlaskClient:
    """Somebody in front of a playground without a store, which remembers nothing."""
    return _visit(create_app(Settings(store_url="none", playground=True), cards, lambda: NOW))


@pytest.mark.parametrize("person", people())
def test_everybody_has_the_cards_of_the_golden_answer(guest: FlaskClient, person: str) -> None:
    page = guest.get(f"/?person={person}&language=en")
    golden = orjson.loads((FIXTURES / "responses" / f"{person}.json").read_bytes())
    without_uuids = [{**card, "uuid": None} for card in golden["body"]["cards"]]
    shown = [{**card, "uuid": None} for card in _raw(page, "raw-response")["cards"]]
    for card in (*without_uuids, *shown):
        for suggestion in card.get("suggestions", ()):
            suggestion.pop("uuid")
    assert shown == without_uuids
    if not shown:
        assert "Why no card?" in page.text


def test_what_is_shown_as_the_request_gets_the_same_cards_from_the_service(
    visitor: FlaskClient,
) -> None:
    page = _play(visitor, result__potassium="3.1")
    answer = visitor.post(ADDRESS, json=_raw(page, "raw-request"))
    assert answer.get_json() == _raw(page, "raw-response")


@pytest.mark.parametrize("language", ["en", "es", "zh-Hans"])
def test_labels_and_cards_stand_in_the_language_that_is_chosen(
    visitor: FlaskClient, language: str
) -> None:
    page = visitor.get(f"/?person={SAMUEL}&language={language}")
    assert f'<html lang="{language}">' in page.text
    assert page.headers["Content-Language"] == language
    called = visitor.post(
        ADDRESS, json=_raw(page, "raw-request"), headers={"Accept-Language": language}
    )
    assert called.get_json()["cards"] == _raw(page, "raw-response")["cards"]


@pytest.mark.parametrize(
    ("chosen", "language"),
    [("zh", "zh-Hans"), ("ES", "es"), ("es-MX", "es"), ("zh-CN", "zh-Hans"), ("EN-gb", "en")],
)
def test_a_language_is_chosen_as_the_service_chooses_it(
    visitor: FlaskClient, chosen: str, language: str
) -> None:
    headers = {"Accept-Language": "en" if language != "en" else "es"}
    for page in (
        visitor.get(f"/?language={chosen}", headers=headers),
        visitor.get(f"/knowledge?lang={chosen}", headers=headers, follow_redirects=True),
    ):
        assert page.headers["Content-Language"] == language
        assert f'<html lang="{language}"' in page.text
    links = re.findall(r'href="(/knowledge/[^"]*lang=[^"]*)"', page.text)
    assert any(f"lang={language}" in link for link in links)


@pytest.mark.parametrize("language", ["xx", "", "-", "z" * 5000, "en_"])
def test_a_language_that_is_none_leaves_that_of_the_browser(
    visitor: FlaskClient, language: str
) -> None:
    page = visitor.get(f"/?language={language}", headers={"Accept-Language": "es"})
    assert page.headers["Content-Language"] == "es"


@pytest.mark.parametrize("person", [SAMUEL, "george-no-anxiety"])
def test_every_link_to_a_page_of_ours_leads_somewhere(
    cards: Knowledge, store: Store, tmp_path: Path, person: str
) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    public = "https://cds.example.org/clinic"
    settings = Settings(store_url=url, playground=True, public_url=public)
    visitor = _visit(create_app(settings, cards, lambda: NOW))
    page = visitor.get(f"/?person={person}&language=es")
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', page.text)]
    ours = {link.removeprefix("https://cds.example.org").partition("#")[0] for link in links}
    pages = {link for link in ours if link.startswith("/clinic/")} - {"/clinic/report"}
    assert len(pages) > 300
    if person == SAMUEL:
        assert any(link.startswith(public) for link in links)
    for link in sorted(pages)[:: 1 if person == SAMUEL else 10]:
        assert visitor.get(link, follow_redirects=True).status_code == 200, link


# -- what if -------------------------------------------------------------------------------------


def test_a_result_that_is_changed_changes_the_cards(visitor: FlaskClient) -> None:
    assert "dangerous" in _summaries(_play(visitor))[0]
    assert not any(
        "dangerous" in each for each in _summaries(_play(visitor, result__potassium="4"))
    )
    # With a comma, as some people write it.
    assert any("Potassium 2" in s for s in _summaries(_play(visitor, result__potassium="2,4")))


def test_a_result_that_stands_as_it_is_recorded_changes_nothing(visitor: FlaskClient) -> None:
    fields = {"result__potassium": "2.3", "recorded__potassium": "2.3", "age": "60"}
    page = _play(visitor, **fields)
    assert "The record is changed" not in page.text
    assert _summaries(page) == _summaries(_play(visitor))


def test_an_age_under_18_and_a_list_that_is_not_sent_change_the_cards(
    visitor: FlaskClient,
) -> None:
    ada = "ada-generalised-anxiety"
    assert len(_summaries(_play(visitor, ada))) == 1
    assert _summaries(_play(visitor, ada, age="15")) == []
    page = _play(visitor, ada, list__medicationRequests="not-sent")
    assert _raw(page, "raw-response") != _raw(_play(visitor, ada), "raw-response")
    assert "medicationRequests" not in _raw(page, "raw-request")["prefetch"]


def test_the_problem_list_not_sent_is_what_the_service_answers(visitor: FlaskClient) -> None:
    page = _play(visitor, list__conditions="not-sent")
    assert page.status_code == 412
    assert 'id="problem"' in page.text and "conditions" in page.text


def test_a_service_that_answers_it_with_a_card_shows_that_card(cards: Knowledge) -> None:
    settings = Settings(store_url="none", playground=True, unavailable="card")
    visitor = _visit(create_app(settings, cards, lambda: NOW))
    page = _play(visitor, list__conditions="not-sent")
    answer = visitor.post(ADDRESS, json=_raw(page, "raw-request"))
    assert page.status_code == 200 and len(_summaries(page)) == 1
    assert answer.get_json()["cards"][0]["summary"] == _summaries(page)[0]


def test_a_drug_and_an_allergy_are_added_and_a_problem_is_left_out(visitor: FlaskClient) -> None:
    page = _play(visitor, "ada-generalised-anxiety", add__medicine="lorazepam")
    assert 'name="added" value="medicine.lorazepam" checked' in page.text
    both = _play(
        visitor,
        "ada-generalised-anxiety",
        added=["medicine.lorazepam"],
        add__medicine="opioids",
        age="70",
    )
    assert 'class="card critical"' in both.text
    sertraline = _play(visitor, "ada-generalised-anxiety", add__allergy="sertraline")
    assert _summaries(sertraline) and "ertraline" in sertraline.text
    conditions = _raw(page, "raw-request")["prefetch"]["conditions"]["entry"]
    nothing = [f"conditions.{number}" for number in range(len(conditions))]
    assert _summaries(_play(visitor, "ada-generalised-anxiety", without=nothing)) == []


def test_changes_of_one_person_are_not_made_on_another(visitor: FlaskClient) -> None:
    data = {"person": "george-no-anxiety", "of": SAMUEL, "age": "12", "result.potassium": "2"}
    page = visitor.post("/", data=data)
    assert "The record is changed" not in page.text


# -- what is refused is kept to be mended --------------------------------------------------------


def _value(page: TestResponse, name: str) -> str:
    found = re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', page.text)
    assert found is not None, name
    return unescape(found[1])


def test_a_refused_list_leaves_the_person_and_every_change_in_the_form(
    visitor: FlaskClient,
) -> None:
    fields = {
        "age": "50",
        "result__potassium": "4.4",
        "added": "medicine.lorazepam",
        "list__allergies": "part",
    }
    page = _play(visitor, **fields, list__conditions="failed")
    assert page.status_code == 412 and 'id="problem"' in page.text
    assert f'<option value="{SAMUEL}" selected>' in page.text
    assert (_value(page, "age"), _value(page, "result.potassium")) == ("50", "4.4")
    assert 'name="added" value="medicine.lorazepam" checked' in page.text
    assert '<option value="failed" selected>' in page.text
    assert '<option value="part" selected>' in page.text


def test_a_refused_number_stands_in_the_form_beside_the_other_changes(
    visitor: FlaskClient,
) -> None:
    page = _play(visitor, age="x<y", result__potassium="1,000", test="sodium", test__value="140")
    assert page.status_code == 400
    page = _play(visitor, age="x<y", **{"test": "sodium", "test-value": "1_0"})
    assert page.status_code == 400 and page.text.count("must be") == 2
    assert (_value(page, "age"), _value(page, "result.sodium")) == ("x<y", "1_0")
    again = _play(visitor, age="44", added="medicine.lorazepam", result__sodium="no")
    assert (_value(again, "age"), _value(again, "result.sodium")) == ("44", "no")
    assert 'name="added" value="medicine.lorazepam" checked' in again.text


def test_a_refused_record_of_ones_own_keeps_its_changes(visitor: FlaskClient) -> None:
    data = {"record": orjson.dumps(_bundle()).decode(), "of": "record", "language": "en"}
    page = visitor.post("/", data=data | {"age": "50", "list.conditions": "failed"})
    assert page.status_code == 412 and _value(page, "age") == "50"
    found = re.search(r'<textarea name="record" hidden>(.*?)</textarea>', page.text, re.DOTALL)
    assert found is not None and orjson.loads(unescape(found[1])) == _bundle()
    broken = visitor.post("/", data=data | {"record": "{broken", "age": "50"})
    assert broken.status_code == 400 and "{broken</textarea>" in broken.text
    assert _value(broken, "age") == "50" and _value(broken, "of") == "record"


def test_who_calls_too_often_can_send_the_same_again(cards: Knowledge) -> None:
    settings = Settings(store_url="none", playground=True, rate_limit="1 per minute")
    visitor = _visit(create_app(settings, cards, lambda: NOW))
    page = [_play(visitor, age="50", result__potassium="4.4") for _ in range(2)][1]
    assert page.status_code == 429
    assert f'<option value="{SAMUEL}" selected>' in page.text
    assert (_value(page, "age"), _value(page, "result.potassium")) == ("50", "4.4")


def test_nothing_that_another_site_entered_is_repeated(visitor: FlaskClient) -> None:
    data = {"person": SAMUEL, "age": "50", "record": "theirs"}
    page = visitor.post("/", data=data, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status_code == 403
    assert 'name="age"' not in page.text and "theirs" not in page.text


# -- a record of one's own -----------------------------------------------------------------------


def _bundle() -> dict[str, Any]:
    bundle: dict[str, Any] = orjson.loads((FIXTURES / "patients" / f"{SAMUEL}.json").read_bytes())
    return bundle


def test_a_bundle_ndjson_and_a_request_get_the_same_cards(visitor: FlaskClient) -> None:
    bundle = _bundle()
    lines = b"\n".join(orjson.dumps(entry["resource"]) for entry in bundle["entry"])
    request = (FIXTURES / "requests" / f"{SAMUEL}.json").read_bytes()
    expected = _summaries(_play(visitor))
    for text in (orjson.dumps(bundle), lines, request, b"\xef\xbb\xbf" + request):
        page = visitor.post("/", data={"record": text.decode(), "language": "en"})
        assert _summaries(page) == expected
        uploaded = visitor.post("/", data={"file": (io.BytesIO(text), "x"), "language": "en"})
        assert _summaries(uploaded) == expected
        again = visitor.post(
            "/", data={"record": text.decode(), "of": "record", "result.potassium": "4"}
        )
        assert _summaries(again) != expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Choose a person"),
        ("   \n ", "Choose a person"),
        ("{not json", "line 1 is not JSON"),
        ('{"resourceType": "Patient", "id": "a"}\n{nonsense', "line 2 is not JSON"),
        ("[1, 2]", "no Bundle"),
        ('"text"', "no Bundle"),
        ("{}", "no Patient"),
        ('{"resourceType": "Bundle", "entry": [1, {"resource": 3}, null]}', "no Patient"),
        ('{"cards": []}', "answer of a service"),
        ('{"hook": "order-sign", "hookInstance": "a", "context": {}}', "patient-view"),
        ('{"hook": "patient-view", "prefetch": 3}', "hookInstance"),
        ("[" * 5000, "not JSON"),
    ],
)
def test_what_is_no_record_is_said_in_a_sentence(
    visitor: FlaskClient, text: str, said: str
) -> None:
    page = visitor.post("/", data={"record": text, "language": "en"})
    assert page.status_code == 400
    assert said in unescape(page.text)
    assert page.mimetype == "text/html"
    [alert] = re.findall(r'<section id="problem".*?</section>', page.text, re.DOTALL)
    assert "nonsense" not in alert


@pytest.mark.parametrize("fields", [{"age": "x"}, {"age": "121"}, {"age": "-1"}, {"age": "²"}])
def test_an_age_that_is_none_is_said(visitor: FlaskClient, fields: dict[str, str]) -> None:
    page = _play(visitor, **fields)
    assert page.status_code == 400 and "whole number from 0 to 120" in page.text


@pytest.mark.parametrize("age", ["00009999", "00001234567890", "0" * 5000 + "30", "1_0", "3,0"])
def test_an_age_in_an_odd_form_is_said_too(visitor: FlaskClient, age: str) -> None:
    page = _play(visitor, age=age)
    assert page.status_code == 400 and "whole number from 0 to 120" in page.text


@pytest.mark.parametrize(
    "value",
    ["x", "nan", "inf", "1e999", "--1", "1,000", "12,345,678", "1_0", "1 000", "9" * 400, "1,2,3"],
)
def test_a_result_that_is_no_number_is_said(visitor: FlaskClient, value: str) -> None:
    page = _play(visitor, result__potassium=value)
    assert page.status_code == 400 and "must be a number" in page.text


def test_odd_fields_of_the_form_break_nothing(visitor: FlaskClient) -> None:
    for fields in (
        {"result__nonsense": "3"},
        {"list__nonsense": "part", "list__patient": "failed"},
        {"added": ["x", "medicine.", "medicine.nonsense", ".", "nobody.lorazepam"]},
        {"without": ["x", "conditions.99", "conditions.-1", "patient.0"]},
        {"test": "nonsense", "test-value": "3"},
        {"user": "Practitioner/somebody-else"},
        {"language": "xx"},
    ):
        page = _play(visitor, **fields)
        assert page.status_code in (200, 412), fields
        assert "somebody-else" not in page.text
    assert _play(visitor, test="potassium").status_code == 400
    assert visitor.get("/?person=nobody").status_code == 404


def test_a_record_that_is_too_large_is_said_on_the_page(visitor: FlaskClient) -> None:
    page = visitor.post("/", data={"record": "x" * 300_000})
    assert page.status_code == 413
    assert "reads at most 2 MiB and 2,000 resources" in page.text
    assert page.mimetype == "text/html"
    # Larger than what the web framework holds in memory by default, and still welcome.
    whole = {"resourceType": "Patient", "id": "a", "text": "y" * 150_000}
    assert visitor.post("/", data={"record": orjson.dumps(whole).decode()}).status_code == 200


def test_of_a_long_list_only_the_first_can_be_left_out_one_by_one(cards: Knowledge) -> None:
    bundle = _bundle()
    bundle["entry"] += [
        {"resource": {**bundle["entry"][1]["resource"], "id": f"again-{number}"}}
        for number in range(150)
    ]
    visitor = _visit(create_app(Settings(store_url="none", playground=True), cards, lambda: NOW))
    page = visitor.post("/", data={"record": orjson.dumps(bundle).decode(), "language": "en"})
    assert page.text.count('name="without" value="conditions.') == 100
    assert "… +53" in page.text


def _many(number: int) -> str:
    """A record with this number of resources, nearly all of them one problem."""
    bundle = _bundle()
    problem = {"resourceType": "Condition", "code": {"coding": [{"code": "fatigue"}]}}
    for id_ in range(number - len(bundle["entry"])):
        bundle["entry"].append({"resource": {**problem, "id": str(id_)}})
    return orjson.dumps(bundle).decode()


def test_a_long_record_has_a_page_that_is_not_much_longer(guest: FlaskClient) -> None:
    record = _many(1000)
    page = guest.post("/", data={"record": record, "language": "en"}, content_type=MULTIPART)
    assert page.status_code == 200
    assert "The last characters are not shown: " in page.text
    assert len(unescape(page.text)) < len(record) + 700_000


def test_more_resources_than_a_page_is_made_of_are_refused(guest: FlaskClient) -> None:
    data = {"record": _many(2100), "language": "en"}
    page = guest.post("/", data=data, content_type=MULTIPART)
    assert page.status_code == 413 and "at most 2000 are read" in page.text


def test_a_long_name_is_cut(guest: FlaskClient) -> None:
    bundle = _bundle()
    for entry in bundle["entry"]:
        for name in ("code", "medicationCodeableConcept"):
            if name in entry["resource"]:
                entry["resource"][name]["text"] = "long " * 20_000
    record = orjson.dumps(bundle).decode()
    page = guest.post("/", data={"record": record}, content_type=MULTIPART)
    assert page.status_code == 200 and len(page.text) < len(record) * 2 + 700_000


# -- safe ----------------------------------------------------------------------------------------


def test_markup_in_a_record_stays_text(visitor: FlaskClient) -> None:
    bundle = _bundle()
    for entry in bundle["entry"]:
        resource = entry["resource"]
        resource["id"] = resource["id"] + HOSTILE if resource["resourceType"] != "Patient" else "a"
        for name in ("code", "medicationCodeableConcept"):
            if name in resource:
                resource[name]["text"] = HOSTILE
                for coding in resource[name]["coding"]:
                    coding["display"] = HOSTILE
        for name in ("subject", "patient"):
            if name in resource:
                resource[name] = {"reference": "Patient/a"}
    page = visitor.post("/", data={"record": orjson.dumps(bundle).decode(), "language": "en"})
    assert page.status_code == 200
    assert "onerror" in page.text
    assert "<img" not in page.text and "<script>" not in page.text
    assert not re.search(r'href="\s*javascript', page.text)
    assert 'class="card critical"' in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://localhost.evil.example.org"},
    ],
)
def test_no_other_site_can_post(visitor: FlaskClient, headers: dict[str, str]) -> None:
    page = visitor.post("/", data={"person": SAMUEL}, headers=headers)
    assert page.status_code == 403
    assert "Only a page of this service" in page.text


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}]
)
def test_its_own_page_can_post(visitor: FlaskClient, headers: dict[str, str]) -> None:
    assert visitor.post("/", data={"person": SAMUEL}, headers=headers).status_code == 200


def test_it_can_be_used_as_often_as_a_client_may_call(cards: Knowledge) -> None:
    settings = Settings(store_url="none", playground=True, rate_limit="2 per minute")
    visitor = _visit(create_app(settings, cards, lambda: NOW))
    pages = [_play(visitor) for _ in range(3)]
    assert [page.status_code for page in pages] == [200, 200, 429]
    assert "calls too often" in pages[2].text and "Retry-After" in pages[2].headers


def test_only_its_own_script_runs_and_nobody_keeps_the_page(visitor: FlaskClient) -> None:
    for page in (visitor.get("/"), visitor.post("/"), visitor.get("/?person=nobody")):
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert re.findall(r"<script(?! src=\"/static/playground.js\" defer>)", page.text) == []
        assert "style=" not in page.text and "http:" not in "".join(
            re.findall(r'(?:src|action)="([^"]*)"', page.text)
        )


def test_nothing_of_a_posted_record_is_stored_or_logged(
    visitor: FlaskClient, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(counts(store))
    bundle = _bundle()
    bundle["entry"][0]["resource"]["name"] = [{"family": "Xylophonist"}]
    for text in (orjson.dumps(bundle).decode(), "{Xylophonist", '{"cards": "Xylophonist"}'):
        visitor.post("/", data={"record": text})
    _play(visitor, result__potassium="Xylophonist")
    assert dict(counts(store)) == before
    told = capsys.readouterr()
    assert "Xylophonist" not in told.out + told.err


def test_a_credential_in_a_request_is_not_shown_again(visitor: FlaskClient) -> None:
    request = orjson.loads((FIXTURES / "requests" / f"{SAMUEL}.json").read_bytes())
    request["fhirServer"] = "https://fhir.example.org/r4"
    request["fhirAuthorization"] = {"access_token": "c2VjcmV0", "token_type": "Bearer"}
    page = visitor.post("/", data={"record": orjson.dumps(request).decode()})
    assert "fhirAuthorization" not in _raw(page, "raw-request")


@pytest.mark.parametrize("hook", ["patient-view", "order-sign", 3])
def test_a_credential_stands_nowhere_in_the_page(visitor: FlaskClient, hook: object) -> None:
    request = orjson.loads((FIXTURES / "requests" / f"{SAMUEL}.json").read_bytes())
    credential = {"access_token": "c2VjcmV0", "token_type": "Bearer", "subject": "c3ViamVjdA"}
    request |= {"hook": hook, "fhirAuthorization": credential}
    whole = orjson.dumps(request).decode()
    inside = orjson.dumps({"request": request, "access_token": "c2VjcmV0"}).decode()
    for text in (whole, f"{whole}\n{whole}", inside, whole[:-1], whole.replace("fhirA", "FHIRA")):
        for data in ({"record": text}, {"file": (io.BytesIO(text.encode()), "x")}):
            for changes in ({}, {"of": "record", "list.conditions": "failed"}):
                page = visitor.post("/", data=data | changes)
                assert "c2VjcmV0" not in page.text and "c3ViamVjdA" not in page.text
                if "file" in data:
                    break


def test_the_script_calls_the_service_at_the_address_of_discovery(visitor: FlaskClient) -> None:
    [address] = re.findall(r'data-service="([^"]*)"', visitor.get("/").text)
    services = visitor.get("/cds-services").get_json()["services"]
    assert address in [f"/cds-services/{service['id']}" for service in services]


def test_behind_a_path_prefix_every_address_has_it(cards: Knowledge) -> None:
    settings = Settings(
        store_url="none", playground=True, public_url="https://cds.example.org/clinic"
    )
    page = create_app(settings, cards, lambda: NOW).test_client().get("/clinic/")
    addresses = re.findall(r'(?:href|src|action|data-service)="(/[^"]*)"', page.text)
    assert len(addresses) > 6
    assert all(address.startswith("/clinic/") for address in addresses)
