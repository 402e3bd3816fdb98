"""The circuit breaker: when a server is left alone, and when it is tried again."""

from __future__ import annotations

import pytest

from cds_service.fhir.circuit_breaker import COOL_DOWN, FAILURES, MOST_SERVERS, CircuitBreaker

SERVER = "https://fhir.example.org"


class Timer:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def breaker(timer: Timer) -> CircuitBreaker:
    return CircuitBreaker(timer)


def fail(breaker: CircuitBreaker, times: int, server: str = SERVER) -> None:
    for _ in range(times):
        breaker.report(server, answered=False)


def test_it_opens_after_as_many_failures_in_a_row_and_not_before(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURES - 1)
    assert breaker.allows(SERVER)
    fail(breaker, 1)
    assert not breaker.allows(SERVER)


def test_an_answer_in_between_starts_the_count_anew(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURES - 1)
    breaker.report(SERVER, answered=True)
    fail(breaker, FAILURES - 1)
    assert breaker.allows(SERVER)


def test_one_server_says_nothing_of_another(breaker: CircuitBreaker) -> None:
    fail(breaker, FAILURES)
    assert breaker.allows("https://other.example.org")


def test_after_the_cool_down_one_call_may_try(breaker: CircuitBreaker, timer: Timer) -> None:
    fail(breaker, FAILURES)
    timer.now += COOL_DOWN - 0.001
    assert not breaker.allows(SERVER)
    timer.now += 0.002
    assert [breaker.allows(SERVER) for _ in range(3)] == [True, False, False]


def test_a_trial_that_is_answered_closes_it(breaker: CircuitBreaker, timer: Timer) -> None:
    fail(breaker, FAILURES)
    timer.now += COOL_DOWN
    assert breaker.allows(SERVER)
    breaker.report(SERVER, answered=True)
    assert breaker.allows(SERVER) and breaker.allows(SERVER)


def test_a_trial_that_fails_opens_it_again_at_once(breaker: CircuitBreaker, timer: Timer) -> None:
    fail(breaker, FAILURES)
    timer.now += COOL_DOWN
    assert breaker.allows(SERVER)
    fail(breaker, 1)
    timer.now += COOL_DOWN - 0.001
    assert not breaker.allows(SERVER)


def test_a_trial_that_nobody_reports_blocks_nobody_for_ever(
    breaker: CircuitBreaker, timer: Timer
) -> None:
    fail(breaker, FAILURES)
    timer.now += COOL_DOWN
    assert breaker.allows(SERVER)
    timer.now += COOL_DOWN
    assert breaker.allows(SERVER)


def test_it_remembers_so_many_servers_and_no_more(breaker: CircuitBreaker) -> None:
    for number in range(MOST_SERVERS + 1):
        fail(breaker, FAILURES, f"https://{number}.example.org")
    assert breaker.allows("https://0.example.org")
    assert not breaker.allows("https://1.example.org")
    assert not breaker.allows(f"https://{MOST_SERVERS}.example.org")
