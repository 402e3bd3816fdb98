"""What EHRs and FHIR servers are known to do with searches, each tried over HTTP.

Nothing is lost that a second request can get, no token goes elsewhere, no loss is silent.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from builders import NOW, TOY, ToyService, cds_request, patient, searchset, toy_knowledge
from flask.testing import FlaskClient
from invented_ehr import Asked, InventedEHR, Reply, invented_ehr, refused
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.knowledge.call import Retrieval
from cds_service.settings import Settings
from cds_service.telemetry.spans import Tracing
from cds_service.web.collaborators import EXTENSION

TOKEN = "token-of-an-invented-ehr"
CODES = [f"{number}-0" for number in range(1, 9)]
TEMPLATES = {
    "patient": "Patient/{{context.patientId}}",
    "conditions": "Condition?patient={{context.patientId}}&_count=500",
    "laboratory": "Observation?patient={{context.patientId}}"
    f"&code={','.join(CODES)}&_sort=-date&_count=200",
    "medicationRequests": "MedicationRequest?patient={{context.patientId}}&_count=500",
    "medicationStatements": "MedicationStatement?patient={{context.patientId}}&_count=200",
}
DEFAULTS: dict[str, Any] = {"store_url": "none", "fhir_timeout_ms": 20_000}
COMPLETE, PART, FAILED = Retrieval.COMPLETE, Retrieval.INCOMPLETE, Retrieval.FAILED
Answer = Callable[[Asked, InventedEHR], Any]


def resource(resource_type: str, identifier: str, **members: Any) -> dict[str, Any]:
    subject = {"reference": "Patient/ada"}
    return {"resourceType": resource_type, "id": identifier, "subject": subject, **members}


RESULTS = [
    resource("Observation", f"result-{code}", code={"coding": [{"code": code}]}) for code in CODES
]
ORDERS = [resource("MedicationRequest", "order", medicationCodeableConcept={"text": "x"})]


def well(asked: Asked, ehr: InventedEHR) -> Any:
    """What a server without faults answers."""
    if asked.path == "Patient/ada":
        return patient()
    if asked.path == "Observation":
        codes = asked.values("code")
        return searchset(*(each for each in RESULTS if each["id"].removeprefix("result-") in codes))
    if asked.path == "MedicationRequest":
        return searchset(*ORDERS)
    return searchset()


@dataclass(frozen=True)
class Called:
    """What one call gave: the states of the lists, the ids of resources, and how it is logged."""

    states: Mapping[str, Retrieval]
    ids: frozenset[str]
    fetches: Mapping[str, str]
    ehr: InventedEHR
    client: FlaskClient
    writer: Any
    card: str

    def asked(self, resource_type: str) -> list[Asked]:
        return [each for each in self.ehr.asked if each.path.split("/")[0] == resource_type]


@contextmanager
def called(answer: Answer, prefetch: Any = None, **settings: Any) -> Iterator[Called]:
    """A call of a service that fetches everything from a server with these manners."""
    toy = ToyService(prefetch=TEMPLATES)
    with invented_ehr(answer) as ehr:
        app = create_app(
            Settings(**{**DEFAULTS, "fhir_servers": (ehr.base,), **settings}),
            toy_knowledge(toy),
            clock=lambda: NOW,
        )
        notes: list[Any] = []
        here = app.extensions[EXTENSION]
        object.__setattr__(here, "observers", (*here.observers, notes.append))
        body = cds_request(
            fhirServer=ehr.base,
            fhirAuthorization={"access_token": TOKEN, "token_type": "Bearer"},
            prefetch=prefetch(ehr) if prefetch else {},
        )
        try:
            client = app.test_client()
            response = client.post(TOY, json=body)
            assert response.status_code == 200, response.text
            assert {each.token for each in ehr.asked} <= {f"Bearer {TOKEN}"}
            retrieved = toy.calls[0].retrieved
            ids = frozenset(str(each.get("id")) for each in retrieved.resources)
            [line] = notes
            yield Called(
                retrieved.states,
                ids,
                line.line()["fetches"],
                ehr,
                client,
                here.memory.writer,
                response.get_json()["cards"][0]["uuid"],
            )
        finally:
            here.fhir_client.close()


def result_ids() -> set[str]:
    return {each["id"] for each in RESULTS}


def test_a_server_without_faults_is_asked_once_for_each_list() -> None:
    with called(well) as call:
        assert set(call.states.values()) == {COMPLETE}
        assert len(call.ehr.asked) == len(TEMPLATES)
        assert set(call.fetches.values()) == {"fetched"}


# -- section 1: searches that are refused or cut -------------------------------------------------


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("parameter", ["_sort", "_count"])
def test_sort_or_count_is_refused(parameter: str, status: int) -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        return refused(status) if parameter in asked else well(asked, ehr)

    with called(answer) as call:
        assert set(call.states.values()) == {COMPLETE}
        assert result_ids() | {"order"} <= call.ids
        assert call.fetches["laboratory"] == "asked-otherwise"
        assert len(call.asked("Observation")) == 2


def test_count_above_the_limit_is_refused() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        return refused(400) if int(asked.parameters.get("_count", 0)) > 100 else well(asked, ehr)

    with called(answer) as call:
        assert set(call.states.values()) == {COMPLETE}


def test_a_sorted_search_that_drops_entries_is_not_made_for_conditions(service: Any) -> None:
    for template in service.prefetch.values():
        if template.startswith(("Condition?", "MedicationRequest?", "MedicationStatement?")):
            assert "_sort" not in template


@pytest.mark.parametrize("also", [(), ("_count",)])
def test_medication_requests_need_an_intent(also: tuple[str, ...]) -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        is_short = asked.path == "MedicationRequest" and "intent" not in asked
        return refused(400) if is_short or any(map(asked.__contains__, also)) else well(asked, ehr)

    with called(answer) as call:
        assert call.states["medicationRequests"] is COMPLETE and "order" in call.ids
        intents = call.asked("MedicationRequest")[-1].values("intent")
        assert {"order", "plan", "instance-order"} <= set(intents)


def test_medication_requests_that_are_refused_in_any_way_have_failed() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        return refused(400) if asked.path == "MedicationRequest" else well(asked, ehr)

    with called(answer) as call:
        assert call.states["medicationRequests"] is FAILED
        assert call.fetches["medicationRequests"] == "refused-400"
        assert len(call.asked("MedicationRequest")) == 3


@pytest.mark.parametrize("most", [4, 2, 1])
def test_long_code_lists_are_414(most: int) -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        return refused(414) if len(asked.values("code")) > most else well(asked, ehr)

    with called(answer) as call:
        assert call.states["laboratory"] is COMPLETE
        assert result_ids() <= call.ids
        assert call.fetches["laboratory"] == "asked-otherwise"


def test_a_half_that_is_lost_leaves_the_list_in_part() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if len(asked.values("code")) > 4:
            return refused(414)
        return refused(500) if CODES[-1] in asked.values("code") else well(asked, ehr)

    with called(answer) as call:
        assert call.states["laboratory"] is PART
        assert len(result_ids() & call.ids) == 4
        assert call.fetches["laboratory"] == "in-part"


def test_a_half_that_promises_more_leaves_the_list_in_part() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        codes = asked.values("code")
        if len(codes) > 4:
            return refused(414)
        return well(asked, ehr) | ({"total": 9} if CODES[-1] in codes else {})

    with called(answer) as call:
        assert call.states["laboratory"] is PART and result_ids() <= call.ids


def test_no_medication_statements_at_all_is_404_and_no_failure() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        return refused(404) if asked.path == "MedicationStatement" else well(asked, ehr)

    with called(answer) as call:
        assert call.states["medicationStatements"] is Retrieval.ABSENT
        assert call.fetches["medicationStatements"] == "not-supported"


def test_a_server_that_says_not_supported_has_none() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        is_that = asked.path == "MedicationStatement"
        return refused(200, "not-supported") if is_that else well(asked, ehr)

    with called(answer) as call:
        assert call.states["medicationStatements"] is Retrieval.ABSENT
        assert call.fetches["medicationStatements"] == "not-supported"


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_one_type_alone_is_refused(status: int) -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        return refused(status) if asked.path == "MedicationRequest" else well(asked, ehr)

    with called(answer) as call:
        assert call.states["medicationRequests"] is FAILED
        assert call.fetches["medicationRequests"] == f"refused-{status}"
        assert call.states["laboratory"] is COMPLETE
        assert len(call.asked("MedicationRequest")) == 1


def by_reference(*references: str) -> list[dict[str, Any]]:
    return [
        resource("MedicationRequest", f"order-{n}", medicationReference={"reference": each})
        for n, each in enumerate(references)
    ]


def medications(asked: Asked, *, search: bool) -> Any:
    """Reads of Medications m1 to m30; a search of them finds nothing, or is refused."""
    if re.fullmatch(r"Medication/m\d+", asked.path):
        return {"resourceType": "Medication", "id": asked.path.partition("/")[2]}
    if asked.path == "Medication":
        return searchset() if search else refused(403)
    return None


@pytest.mark.parametrize("search", [True, False], ids=["leaves-out", "refused"])
def test_medications_can_only_be_read(search: bool) -> None:
    wanted = [f"m{number}" for number in range(1, 31)]

    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if asked.path == "MedicationRequest":
            return searchset(*by_reference(*(f"Medication/{each}" for each in wanted)))
        return medications(asked, search=search) or well(asked, ehr)

    with called(answer) as call:
        assert set(wanted) <= call.ids
        assert call.fetches["medicationReads"] == "fetched"
        assert not any(each in str(call.fetches) for each in wanted)


def test_medications_are_read_in_bounds() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if asked.path == "MedicationRequest":
            return searchset(*by_reference(*(f"Medication/m{number}" for number in range(300))))
        return medications(asked, search=False) or well(asked, ehr)

    with called(answer) as call:
        reads = [each for each in call.asked("Medication") if "/" in each.path]
        assert len(reads) == 100


def test_a_medication_reference_is_compared_as_an_address() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if asked.path == "MedicationRequest":
            there = f"HTTP://127.0.0.1:{ehr.port}/fhir"
            elsewhere = "https://elsewhere.example.org/fhir"
            references = (f"{there}/Medication/m1", f"{elsewhere}/Medication/m2")
            return searchset(*by_reference(*references))
        if asked.path == "Medication":
            return searchset(
                *({"resourceType": "Medication", "id": i} for i in asked.values("_id"))
            )
        return well(asked, ehr)

    with called(answer) as call:
        assert "m1" in call.ids and "m2" not in call.ids


# Where the next link leads, and the address that is asked instead; {base} is the right one.
NEXT_LINKS = {
    "another-host": "https://internal.example.org:8443/fhir/Observation?page=2",
    "another-scheme": "https://127.0.0.1:{port}/fhir/Observation?page=2",
    "the-default-port-twice": "http://127.0.0.1:{port}:{port}/fhir/Observation?page=2",
    "another-port": "http://127.0.0.1:9/fhir/Observation?page=2",
    "another-path": "http://127.0.0.1:{port}/internal/r4/Observation?page=2",
    "the-base-of-another-host": "https://internal.example.org/fhir?page=2",
}


def in_two_pages(link: str) -> Answer:
    """Observations in two pages; the next link of the first is this one."""

    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if "page" in asked:
            return searchset(*RESULTS[4:])
        if asked.path == "Observation":
            url = link.format(port=ehr.port, base=ehr.base)
            first = searchset(*RESULTS[:4], link=[{"relation": "next", "url": url}])
            return first | {"total": len(RESULTS)}
        return well(asked, ehr)

    return answer


@pytest.mark.parametrize("link", NEXT_LINKS.values(), ids=NEXT_LINKS)
def test_next_leads_elsewhere_and_is_asked_at_the_base(link: str) -> None:
    with called(in_two_pages(link)) as call:
        assert call.states["laboratory"] is COMPLETE and result_ids() <= call.ids
        assert call.fetches["laboratory"] == "next-elsewhere"
        assert len(call.ehr.asked) == len(TEMPLATES) + 1


@pytest.mark.parametrize("link", NEXT_LINKS.values(), ids=NEXT_LINKS)
def test_next_of_a_prefetched_page_leads_elsewhere(link: str) -> None:
    def prefetch(ehr: InventedEHR) -> Any:
        page = in_two_pages(link)(Asked("Observation", {}, "", None), ehr)
        return {"laboratory": page}

    with called(in_two_pages(link), prefetch) as call:
        assert call.states["laboratory"] is COMPLETE and result_ids() <= call.ids
        assert call.fetches["laboratory"] == "next-elsewhere"


@pytest.mark.parametrize(
    "query", ["page=2&of=two words", "page=2&of=Müller", "page=2&of=a#b", "page=2&of=a\\b"]
)
def test_next_has_characters_that_are_quoted(query: str) -> None:
    with called(in_two_pages(f"{{base}}/Observation?{query}")) as call:
        assert call.states["laboratory"] is COMPLETE and result_ids() <= call.ids
        assert call.fetches["laboratory"] == "fetched"
        [second] = [each for each in call.ehr.asked if "page" in each]
        assert second.parameters["of"] == query.partition("of=")[2]


def test_next_that_goes_in_a_circle_leaves_the_list_in_part() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        link = [{"relation": "next", "url": f"{ehr.base}/Observation?again=1"}]
        return searchset(*RESULTS, link=link) if asked.path == "Observation" else well(asked, ehr)

    with called(answer) as call:
        assert call.states["laboratory"] is PART and len(call.asked("Observation")) == 2


def test_total_counts_outcomes() -> None:
    remark = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "information", "code": "informational"}],
    }

    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if asked.path != "Observation":
            return well(asked, ehr)
        bundle = searchset(*RESULTS)
        bundle["entry"].append({"resource": remark, "search": {"mode": "outcome"}})
        return bundle | {"total": len(RESULTS) + 1}

    with called(answer) as call:
        assert call.states["laboratory"] is COMPLETE


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_comes_although_identity_was_asked(encoding: str) -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        body = gzip.compress(json.dumps(well(asked, ehr)).encode())
        return Reply(body, headers={"Content-Encoding": encoding})

    with called(answer) as call:
        assert set(call.states.values()) == {COMPLETE} and result_ids() <= call.ids


def test_gzip_that_unpacks_to_more_than_allowed_is_not_read() -> None:
    bomb = gzip.compress(b'{"resourceType": "Bundle", "x": "' + b" " * 50_000_000 + b'"}')

    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        is_bomb = asked.path == "Observation"
        return Reply(bomb, headers={"Content-Encoding": "gzip"}) if is_bomb else well(asked, ehr)

    with called(answer, lambda ehr: {"patient": patient()}, fhir_max_bytes=200_000) as call:
        assert call.states["laboratory"] is FAILED
        assert call.fetches["laboratory"] == "unreadable"


# -- section 2: signals that results were kept back ----------------------------------------------


KEPT_BACK = ["suppressed", "incomplete", "forbidden", "security", "login", "timeout", "throttled"]
KEPT_BACK += ["too-costly", "transient", "exception", "no-store", "lock-error"]


def with_issue(code: str, severity: str) -> Answer:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if asked.path != "Observation":
            return well(asked, ehr)
        bundle = searchset(*RESULTS)
        outcome = {
            "resourceType": "OperationOutcome",
            "issue": [{"severity": severity, "code": code}],
        }
        bundle["entry"].append({"resource": outcome, "search": {"mode": "outcome"}})
        return bundle

    return answer


@pytest.mark.parametrize("severity", ["information", "warning", "error"])
@pytest.mark.parametrize("code", KEPT_BACK)
def test_results_were_kept_back(code: str, severity: str) -> None:
    with called(with_issue(code, severity)) as call:
        assert call.states["laboratory"] is PART


@pytest.mark.parametrize("code", ["informational", "processing", "not-supported"])
def test_remarks_are_harmless(code: str) -> None:
    with called(with_issue(code, "warning")) as call:
        assert call.states["laboratory"] is COMPLETE


# Which state of a list is said, and which is silent: the real service, whose patient has everything
# on record but what the server says of one list.
SERVICE = "/cds-services/anxiety-leg-weakness"
ADA = Path(__file__).parents[2] / "fixtures" / "requests" / "ada-generalised-anxiety.json"


CONDITIONS = json.loads(ADA.read_text())["prefetch"]["conditions"]["entry"]


def answer_for_ada(cards: Knowledge, key: str, answer: Answer) -> Any:
    """The answer for Ada, of whom one list is asked from a server that answers so."""
    with invented_ehr(answer) as ehr:
        settings = Settings(
            store_url="none", hash_key="k" * 32, fhir_servers=(ehr.base,), fhir_timeout_ms=20_000
        )
        today = datetime(2026, 11, 22, 12, tzinfo=UTC)
        app = create_app(settings, cards, clock=lambda: today)
        request = json.loads(ADA.read_text()) | {"fhirServer": ehr.base}
        del request["prefetch"][key]
        response = app.test_client().post(SERVICE, json=request)
        app.extensions[EXTENSION].fhir_client.close()
    assert response.status_code == 200, response.text
    return response.get_json()


def cards_with(cards: Knowledge, key: str, answer: Any) -> list[dict[str, Any]]:
    """What the cards for Ada say where one list is answered so."""
    body = answer_for_ada(cards, key, lambda asked, ehr: answer)
    return said(body)


def said(body: Any) -> list[dict[str, Any]]:
    """What the cards of an answer say; their uuids differ from server to server."""
    return [
        {name: card[name] for name in ("summary", "detail", "indicator")} for card in body["cards"]
    ]


def test_a_list_that_the_server_does_not_have_is_silent(cards: Knowledge) -> None:
    key = "medicationStatements"
    assert cards_with(cards, key, refused(404)) == cards_with(cards, key, searchset())


@pytest.mark.parametrize(
    "answer",
    [refused(401), refused(403), refused(500), refused(200, "forbidden"), searchset(total=7)],
    ids=["401", "403", "500", "outcome", "in-part"],
)
@pytest.mark.parametrize("key", ["medicationRequests", "medicationStatements"])
def test_a_list_that_was_refused_is_named_and_withholds_drugs(
    key: str, answer: Any, cards: Knowledge
) -> None:
    [whole] = cards_with(cards, key, searchset())
    [lacking] = cards_with(cards, key, answer)
    assert "Drug classes for clinician review" in whole["detail"]
    assert "Drug classes for clinician review" not in lacking["detail"]
    assert "Not all data came" in lacking["detail"]


def test_observations_need_a_category_or_a_code() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        is_bare = asked.path == "Observation" and not ("code" in asked or "category" in asked)
        return refused(400) if is_bare else well(asked, ehr)

    with called(answer) as call:
        assert call.states["laboratory"] is COMPLETE
        assert call.fetches["laboratory"] == "fetched"


def test_a_list_that_is_late_has_failed_and_the_others_are_there() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if asked.path == "Observation":
            time.sleep(3)
        return well(asked, ehr)

    with called(answer, fhir_timeout_ms=1500) as call:
        assert call.states["laboratory"] is FAILED and "order" in call.ids
        assert call.fetches["laboratory"] == "late"


def test_a_second_try_takes_no_more_time_than_the_call_has() -> None:
    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        if "_sort" in asked:
            return refused(400)
        if asked.path == "Observation":
            time.sleep(3)
        return well(asked, ehr)

    started = time.perf_counter()
    with called(answer, fhir_timeout_ms=1500) as call:
        assert time.perf_counter() - started < 2.8
        assert call.states["laboratory"] is FAILED
        assert call.fetches["laboratory"] == "late"


@pytest.mark.parametrize("display, unread", [("sertraline 50 mg tablet", 0), (None, 1)])
def test_the_display_of_a_reference_is_used_where_its_medication_cannot_be_had(
    display: str | None, unread: int, cards: Knowledge
) -> None:
    reference = {"reference": "Medication/m1"} | ({"display": display} if display else {})

    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        order = resource("MedicationRequest", "o", medicationReference=reference, status="active")
        order |= {"intent": "order"}
        return searchset(order) if asked.path == "MedicationRequest" else refused(403)

    body = answer_for_ada(cards, "medicationRequests", answer)
    state = body["extension"]["urn:cds-service:record-state"]
    assert state["lists"]["medicationRequests"] == "whole"
    assert state.get("unread", {}).get("MedicationRequest", 0) == unread


def test_a_category_that_is_an_object_is_read_as_a_list(cards: Knowledge) -> None:
    """What teaching EHRs write is mended, and says the same."""

    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        [entry] = [e for e in CONDITIONS if "category" in e["resource"]][:1] or [None]
        assert entry is not None
        category = entry["resource"]["category"][0]
        changed = [
            {**e, "resource": {**e["resource"], "category": category}}
            if "category" in e["resource"]
            else e
            for e in CONDITIONS
        ]
        return {"resourceType": "Bundle", "type": "searchset", "entry": changed}

    def plain(asked: Asked, ehr: InventedEHR) -> Any:
        return {"resourceType": "Bundle", "type": "searchset", "entry": CONDITIONS}

    odd = answer_for_ada(cards, "conditions", answer)
    assert odd["cards"] and said(odd) == said(answer_for_ada(cards, "conditions", plain))


# -- outcomes told apart, in log, metrics and traces ---------------------------------------------


def test_outcomes_are_told_apart_in_metrics_spans_and_the_trace_of_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("cds_service.factory.tracing_to", lambda url: tracing)

    def answer(asked: Asked, ehr: InventedEHR) -> Any:
        statuses = {"MedicationRequest": 401, "Condition": 404, "MedicationStatement": 999}
        if asked.path in statuses:
            return refused(statuses[asked.path])
        return in_two_pages("https://internal.example.org/Observation?page=2")(asked, ehr)

    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    with called(answer, store_url=url, metrics_open=True) as call:
        outcomes = {
            "medicationRequests": "refused-401",
            "conditions": "not-supported",
            "medicationStatements": "refused",
            "laboratory": "next-elsewhere",
        }
        assert call.fetches == outcomes | {"patient": "fetched"}
        metrics = call.client.get("/metrics").text
        for key, outcome in outcomes.items():
            assert f'cds_fetches_total{{key="{key}",outcome="{outcome}"}} 1.0' in metrics
        names = {span.name for span in exporter.get_finished_spans()}
        assert {f"fetch {key}: {outcome}" for key, outcome in outcomes.items()} <= names
        call.writer.close()
        trace = call.client.get(f"/trace/{call.card}").get_json()
        assert trace["fetches"] == call.fetches
