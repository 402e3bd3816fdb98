"""Fetching: addresses, what is shared, limits, one retry, and when it does not even try."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from builders import TEMPLATES, ToyService, cds_request, condition, patient, searchset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.misbehaving_server import TOKEN, MisbehavingServer, misbehaving_server

from cds_service.fhir import download
from cds_service.fhir.circuit_breaker import FAILURES
from cds_service.fhir.client import Fetching, FHIRClient, fill
from cds_service.fhir.outcomes import Outcome
from cds_service.fhir.prefetch import Wanted, complete
from cds_service.knowledge.call import Retrieval
from cds_service.settings import Settings
from cds_service.wire.hooks import load_context
from cds_service.wire.requests import load_request

TOKENS = {"context.patientId": "ada", "context.userId": "Practitioner/grace"}
WANTED = {key: Wanted((template,)) for key, template in TEMPLATES.items()}
# Settings that a busy machine keeps within, for a server that answers.
PATIENT = Settings(development=True, fhir_timeout_ms=20_000)
IN_TIME = 10  # seconds; what is not cut off takes minutes
Make = Callable[..., FHIRClient]


@pytest.fixture(scope="module")
def server() -> Iterator[MisbehavingServer]:
    with misbehaving_server() as running:
        yield running


@pytest.fixture
def make(server: MisbehavingServer) -> Iterator[Make]:
    """Makes clients that may call servers on this machine."""
    made: list[FHIRClient] = []

    def client(**changed: Any) -> FHIRClient:
        defaults: dict[str, Any] = {"development": True, "fhir_timeout_ms": 20_000}
        made.append(FHIRClient(Settings(**defaults | changed)))
        server.seen.clear()
        return made[-1]

    yield client
    for each in made:
        each.close()


def fetching(client: FHIRClient, base: str, *, token: str = TOKEN, **members: Any) -> Fetching:
    authorization = {"access_token": token}
    body = cds_request(fhirServer=base, fhirAuthorization=authorization, **members)
    request = load_request(body)
    context = load_context(request.hook, request.context)
    made = client.fetch_for(request, context, started=perf_counter())
    assert made is not None
    return made


# -- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template, address",
    [
        ("Patient/{{context.patientId}}", "Patient/ada"),
        ("Patient/{{ context.patientId }}", "Patient/ada"),
        ("{{context.userId}}", "Practitioner/grace"),
        (
            "Observation?patient={{context.patientId}}&code=http://loinc.org|1,2&_sort=-date",
            "Observation?patient=ada&code=http://loinc.org|1,2&_sort=-date",
        ),
        ("Appointment?actor={{context.userId}}", "Appointment?actor=Practitioner%2Fgrace"),
        ("Encounter/{{context.encounterId}}", None),
        ("Condition?onset=gt{{today()}}", None),
    ],
)
def test_a_template_is_filled_with_the_context(template: str, address: str | None) -> None:
    assert fill(template, TOKENS) == address


@given(st.text(min_size=1, max_size=20).filter(str.isprintable))
def test_whatever_an_id_is_it_stays_one_value_of_one_parameter(identifier: str) -> None:
    filled = fill(
        "Condition?patient={{context.patientId}}&_count=5", {"context.patientId": identifier}
    )
    assert filled is not None
    path, pairs = urlsplit(filled).path, parse_qsl(urlsplit(filled).query, keep_blank_values=True)
    assert path == "Condition"
    assert [name for name, _ in pairs] == ["patient", "_count"]
    value = pairs[0][1]
    for separator in ",|$":
        assert value.replace("\\\\", "").count(separator) == value.replace("\\\\", "").count(
            f"\\{separator}"
        )


def test_every_request_is_a_read_or_a_search_with_the_token(
    make: Make, server: MisbehavingServer
) -> None:
    fetch = fetching(make(), server.base("well"))
    assert set(fetch(WANTED)) == set(WANTED)
    assert sorted(each.target for each in server.seen) == [
        "/well/Condition?patient=ada",
        "/well/Observation?patient=ada&category=laboratory",
        "/well/Patient/ada",
    ]
    for each in server.seen:
        assert each.method == "GET"
        assert each.headers["authorization"] == f"Bearer {TOKEN}"
        assert each.headers["accept"] == "application/fhir+json"
        assert each.headers["accept-encoding"] == "identity"


def test_without_a_token_an_open_server_is_asked_without_one(
    make: Make, server: MisbehavingServer
) -> None:
    client = make()
    request = load_request(cds_request(fhirServer=server.base("well")))
    context = load_context(request.hook, request.context)
    fetch = client.fetch_for(request, context, started=perf_counter())
    assert fetch is not None and set(fetch(WANTED)) == set(WANTED)
    assert all("authorization" not in each.headers for each in server.seen)


def test_without_a_server_there_is_nothing_to_fetch_with(make: Make) -> None:
    request = load_request(cds_request())
    context = load_context(request.hook, request.context)
    assert make().fetch_for(request, context, started=perf_counter()) is None


# -- what is shared, and limits ------------------------------------------------------------------


def test_keys_that_ask_for_the_same_are_fetched_once(make: Make, server: MisbehavingServer) -> None:
    fetch = fetching(make(), server.base("well"))
    values = fetch({"one": WANTED["conditions"], "other": WANTED["conditions"]})
    assert values["one"] == values["other"] and len(values) == 2
    assert len(server.seen) == fetch.fetched.requests == 1


def test_pages_are_followed_up_to_the_limit(make: Make, server: MisbehavingServer) -> None:
    fetch = fetching(make(fhir_max_pages=4), server.base("endless-pages"))
    values = fetch({"conditions": WANTED["conditions"]})
    assert len(values["conditions"]["entry"]) == len(server.seen) == 4
    assert values["conditions"]["link"] == [{"relation": "next"}]
    assert fetch.fetched.outcomes == {"conditions": Outcome.IN_PART}


def test_pages_after_a_prefetched_one_are_added_to_it(
    make: Make, server: MisbehavingServer
) -> None:
    next_ = f"{server.base('well')}/Condition?page=2"
    link = [{"relation": "next", "url": next_}]
    page = searchset(condition("first"), total=2, link=link)
    fetch = fetching(make(), server.base("well"))
    values = fetch({"conditions": Wanted((TEMPLATES["conditions"],), page)})
    ids = [entry["resource"]["id"] for entry in values["conditions"]["entry"]]
    assert (ids, values["conditions"]["link"]) == (["first", "anxiety"], None)
    assert page["link"] == link, "what came is not changed"


def test_a_relative_link_is_of_the_server_of_the_call(
    make: Make, server: MisbehavingServer
) -> None:
    page = searchset(condition("first"), link=[{"relation": "next", "url": "Condition?page=2"}])
    fetch = fetching(make(), server.base("well"))
    fetch({"conditions": Wanted((TEMPLATES["conditions"],), page)})
    assert [each.target for each in server.seen] == ["/well/Condition?page=2"]


def test_resources_above_the_limit_are_cut_off_and_that_is_said(
    make: Make, server: MisbehavingServer
) -> None:
    fetch = fetching(make(fhir_max_resources=2), server.base("endless-pages"))
    values = fetch({"conditions": WANTED["conditions"]})
    assert len(values["conditions"]["entry"]) == 2
    assert values["conditions"]["link"] == [{"relation": "next"}]


def test_bytes_above_the_limit_are_not_read(make: Make, server: MisbehavingServer) -> None:
    fetch = fetching(make(fhir_max_bytes=100_000), server.base("endless-body"))
    started = time.perf_counter()
    assert fetch({"conditions": WANTED["conditions"]}) == {}
    assert time.perf_counter() - started < IN_TIME
    assert fetch.fetched.outcomes == {"conditions": Outcome.UNREADABLE}


def test_what_came_before_the_time_was_up_is_kept(make: Make, server: MisbehavingServer) -> None:
    fetch = fetching(make(fhir_timeout_ms=2000), server.base("slow-observations"))
    values = fetch(WANTED)
    assert set(values) == {"patient", "conditions"}
    assert fetch.fetched.outcomes == {
        "patient": Outcome.FETCHED,
        "conditions": Outcome.FETCHED,
        "laboratory": Outcome.LATE,
    }
    assert 1500 < fetch.fetched.milliseconds < IN_TIME * 1000


def test_a_call_that_is_late_already_asks_for_nothing(
    make: Make, server: MisbehavingServer
) -> None:
    client = make()
    request = load_request(cds_request(fhirServer=server.base("well")))
    context = load_context(request.hook, request.context)
    fetch = client.fetch_for(request, context, started=perf_counter() - 25)
    assert fetch is not None and fetch(WANTED) == {}
    assert server.seen == []
    assert set(fetch.fetched.outcomes.values()) == {Outcome.LATE}


# As JSON brings them: nothing, odd things, and the members that are looked at.
_MEMBERS = ["resourceType", "entry", "resource", "search", "mode", "link", "relation", "url"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("a/", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*_MEMBERS, "total", "issue", "severity"]),
            inner | st.sampled_from(["Bundle", "Condition", "OperationOutcome", "next"]),
        )
    ),
    max_leaves=20,
)
BUNDLES = st.fixed_dictionaries(
    {"resourceType": st.just("Bundle")}, optional={"entry": JSON, "link": JSON, "total": JSON}
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON | BUNDLES)
def test_what_is_fetched_counts_as_whole_only_if_it_would_as_prefetch(
    make: Make, server: MisbehavingServer, value: Any
) -> None:
    service = ToyService(required_keys=frozenset())
    sent = {"patient": patient(), "laboratory": None}
    server.body = value
    fetch = fetching(make(), server.base("body"), prefetch=sent)
    fetched = complete(service, load_request(cds_request(prefetch=sent)), fetch)
    body = cds_request(prefetch={**sent, "conditions": value})
    prefetched = complete(service, load_request(body))
    if fetched.states["conditions"] is Retrieval.COMPLETE:
        assert (fetched.states, fetched.resources) == (prefetched.states, prefetched.resources)


# -- one retry -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", ["once-busy", "once-busy-by-date", "once-lost"])
def test_it_tries_once_more(mood: str, make: Make, server: MisbehavingServer) -> None:
    fetch = fetching(make(), server.base(mood))
    assert set(fetch({"patient": WANTED["patient"]})) == {"patient"}
    assert len(server.seen) == fetch.fetched.requests == 2


@pytest.mark.parametrize(
    "mood, times, outcome",
    [
        ("closed", 2, Outcome.UNREACHABLE),
        ("reset", 2, Outcome.UNREACHABLE),
        ("status-503-retry", 2, "refused-503"),
        ("status-429", 1, "refused-429"),
        ("status-429-for-long", 1, "refused-429"),
        ("status-500", 1, "refused-500"),
        ("status-404", 1, Outcome.NOT_SUPPORTED),
        ("redirect-302", 1, "refused-302"),
        ("html", 1, Outcome.UNREADABLE),
        ("wrong-type", 1, Outcome.UNREADABLE),
        ("half-json", 1, Outcome.UNREADABLE),
        ("deep", 1, Outcome.UNREADABLE),
        ("gzip-bomb", 1, Outcome.UNREADABLE),
        ("null", 1, Outcome.UNREADABLE),
        ("operation-outcome", 1, Outcome.UNREADABLE),
        ("wrong-patient", 1, Outcome.UNREADABLE),
    ],
)
def test_it_tries_no_more_often_than_makes_sense(
    mood: str, times: int, outcome: str, make: Make, server: MisbehavingServer
) -> None:
    fetch = fetching(make(), server.base(mood))
    assert fetch({"patient": WANTED["patient"]}) == {}
    assert len(server.seen) == times
    assert fetch.fetched.outcomes == {"patient": outcome}


# -- when it does not even try -------------------------------------------------------------------


def test_a_server_that_is_not_allowed_is_not_asked(make: Make, server: MisbehavingServer) -> None:
    fetch = fetching(make(development=False), server.base("well"))
    assert fetch(WANTED) is None
    assert server.seen == []
    assert fetch.fetched.outcomes == dict.fromkeys(WANTED, Outcome.BARRED)


@pytest.mark.parametrize("token", ["two words", "line\r\nX-Evil: 1", "tökén", "\x00"])
def test_a_token_that_can_stand_in_no_header_is_not_sent(
    token: str, make: Make, server: MisbehavingServer
) -> None:
    assert fetching(make(), server.base("well"), token=token)(WANTED) is None
    assert server.seen == []


def test_a_template_that_the_context_cannot_fill_is_not_fetched(
    make: Make, server: MisbehavingServer
) -> None:
    fetch = fetching(make(), server.base("well"))
    assert fetch({"encounter": Wanted(("Encounter/{{context.encounterId}}",))}) == {}
    assert fetch.fetched.outcomes == {"encounter": Outcome.BARRED}
    assert server.seen == []


def test_a_dead_server_costs_later_calls_nothing(make: Make, server: MisbehavingServer) -> None:
    client = make(fhir_timeout_ms=200)
    for _ in range(FAILURES):
        assert fetching(client, server.base("slow-first-byte"))(WANTED) == {}
    server.seen.clear()
    fetch = fetching(client, server.base("slow-first-byte"))
    assert fetch(WANTED) == {}
    assert server.seen == []
    assert set(fetch.fetched.outcomes.values()) == {Outcome.SUSPENDED}
    client.settings = PATIENT
    assert set(fetching(client, server.base("well"))(WANTED)) == set(WANTED)


@pytest.mark.parametrize("mood", ["status-401", "status-404", "html"])
def test_a_server_that_refuses_is_not_dead(
    mood: str, make: Make, server: MisbehavingServer
) -> None:
    client = make()
    for _ in range(FAILURES + 1):
        fetching(client, server.base(mood))(WANTED)
    assert len(server.seen) == (FAILURES + 1) * len(WANTED)


# -- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mood", ["slow-first-byte", "slow-head", "slow-body", "slow-chunks"])
def test_no_thread_is_lost_to_a_slow_server(
    mood: str, make: Make, server: MisbehavingServer
) -> None:
    client = make(fhir_timeout_ms=200, fhir_max_connections=3)
    fetching(client, server.base(mood))(WANTED)  # takes all three
    client.settings = Settings(development=True, fhir_timeout_ms=20_000, fhir_max_connections=3)
    assert set(fetching(client, server.base("well"))(WANTED)) == set(WANTED)


def test_calls_side_by_side_get_their_own(make: Make, server: MisbehavingServer) -> None:
    client = make(fhir_timeout_ms=10_000)

    def call(number: int) -> Any:
        token = f"token-{number}"
        return fetching(client, server.base("well"), token=token)({"patient": WANTED["patient"]})

    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(call, range(40))) == [{"patient": patient()}] * 40
    tokens = {each.headers["authorization"] for each in server.seen}
    assert tokens == {f"Bearer token-{number}" for number in range(40)}


@pytest.mark.parametrize(
    "text", ["Mon, 01 Jan 2024 00:00:00 +99999999999999", "-1", "soon", "9" * 40, "1e9", ""]
)
def test_a_senseless_time_to_wait_is_none(text: str) -> None:
    response = requests.Response()
    response.headers.update({"Retry-After": text, "Date": "Mon, 01 Jan 2024 00:00:00 GMT"})
    assert download._retry_after(response) is None
