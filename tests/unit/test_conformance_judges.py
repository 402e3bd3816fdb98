"""What judges the answers of strangers takes every JSON, and says what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_service import SmallService

from cds_service.conformance.answers import judge_answer
from cds_service.conformance.caller import Reply
from cds_service.conformance.checks import Outcome, results
from cds_service.conformance.discovery import judge_entry
from cds_service.conformance.errors import judge_errors
from cds_service.conformance.invented import invented_call
from cds_service.conformance.json_text import judge_body
from cds_service.conformance.rules import RULES
from cds_service.wire.hooks import HOOKS, load_context

MEMBERS = st.sampled_from(
    "cards systemActions extension uuid summary detail indicator source label url icon topic code "
    "system display suggestions selectionBehavior isRecommended actions type description resource "
    "resourceId resourceType id subject reference overrideReasons links appContext autolaunchable "
    "services hook title prefetch usageRequirements hookVersion issue severity".split()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["create", "update", "delete", "at-most-one", "absolute", "http://[", "{{"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=6),
    max_leaves=12,
)
CARDS = st.fixed_dictionaries({"cards": st.lists(st.dictionaries(MEMBERS, VALUES), max_size=3)})


@given(body=VALUES | CARDS)
def test_every_json_is_judged(body: Any) -> None:
    reply = Reply(200, 0.1, body, content=json.dumps(body).encode())
    error = Reply(400, 0.1, body, content=b"")
    checks = [*judge_answer(body, "ada"), *judge_body(reply), *judge_errors([("GET /", error)])]
    if isinstance(body, dict):
        checks += judge_entry(body)
    for result in results("a place", checks):
        assert result.rule is RULES[result.rule.id]
        assert bool(result.text) is (result.outcome is not Outcome.PASSED)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_invented_call_of_each_hook_is_valid(hook: str) -> None:
    call = invented_call(hook, SmallService().entry()["prefetch"])
    assert load_context(hook, call["context"]).patient_id == "invented-person"
    assert call["prefetch"]["person"]["resourceType"] == "Patient"


def test_the_worst_of_all_checks_counts() -> None:
    cards = [{"summary": "a"}, {"summary": ""}, {"summary": "b"}]
    [result] = [
        each for each in results("x", judge_answer({"cards": cards})) if each.rule.id == "C-2"
    ]
    assert (result.tried, result.outcome, result.text) == (3, Outcome.FAILED, "card 2: no summary")
