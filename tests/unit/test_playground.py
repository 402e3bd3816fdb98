"""The playground without HTTP: what changes do to a request, and whether what is said is so."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import InvalidRequest, UnknownPerson
from cds_service.fhir.profiles import Profile
from cds_service.html.markdown import as_html
from cds_service.knowledge import CDSService, Knowledge
from cds_service.knowledge.explanation import ExplainedRule, explain
from cds_service.knowledge.facts.facts import Facts
from cds_service.knowledge.facts.kinds import kind_of
from cds_service.knowledge.facts.observation import ObservationDefinition
from cds_service.knowledge.record.record import PatientRecord
from cds_service.playground import words
from cds_service.playground.board import board_of
from cds_service.playground.changes import LIST_STATES, Changed, Changes
from cds_service.playground.choices import Choices
from cds_service.playground.dates import STORY_NOW
from cds_service.playground.form import read_form
from cds_service.playground.people import person_named, resources_of
from cds_service.playground.playing import Played, Player, request_of
from cds_service.settings import Settings


@pytest.fixture(scope="module")
def choices(service: CDSService, cards: Knowledge) -> Choices:
    return Choices(service, cards.value_sets)


@pytest.fixture(scope="module")
def player(service: CDSService) -> Player:
    return Player(
        service=service,
        settings=Settings(store_url="none"),
        profile=Profile(),
        finish=lambda _, answer: answer,
        now=STORY_NOW,
        language="en",
        is_short=False,
    )


def _request(player: Player, name: str) -> dict[str, Any]:
    person = person_named(name)
    resources = list(resources_of(person, STORY_NOW))
    return request_of(
        resources, player.service, user_id="Practitioner/playground", name=person.name
    )


def _changed(player: Player, choices: Choices, name: str, changes: Changes) -> Played:
    request = Changed(_request(player, name), player.service.lists, choices, STORY_NOW).by(changes)
    return player.play(request)


def _rules(played: Played) -> dict[str, ExplainedRule]:
    return {rule.id: rule for rule in played.explanation.rules}


# -- what would change it ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["samuel", "ada", "george", "ivan", "tomas", "paula"])
def test_what_is_said_to_change_a_rule_changes_it_on_the_record(
    player: Player, choices: Choices, name: str
) -> None:
    """Every single result that is said to change a rule is measured, and the rule judged again."""
    tested = {
        name: definition.value_sets[0]
        for name, definition in player.service.facts.items()
        if isinstance(definition, ObservationDefinition)
        and definition.value_sets[0] in choices.measurements
    }
    claims: dict[tuple[str, float], list[tuple[str, str]]] = {}
    recorded = _request(player, name)
    for rule in player.play(recorded).explanation.rules:
        for change in rule.changes:
            if change.member == "value" and change.fact in tested:
                key = (tested[change.fact], float(change.value))
                claims.setdefault(key, []).append((rule.id, change.outcome))
    assert len(claims) > 20
    wrong = []
    for (value_set, value), said in claims.items():
        request = Changed(recorded, player.service.lists, choices, STORY_NOW).by(
            Changes(results={value_set: value})
        )
        explanation = explain(player.service, player.call(request), with_changes=False)
        rules = {rule.id: rule for rule in explanation.rules}
        wrong += [
            (value_set, value, id_, outcome, rules[id_].outcome)
            for id_, outcome in said
            if rules[id_].outcome != outcome
        ]
    assert wrong == []


def test_an_age_that_is_said_to_change_a_rule_changes_it(player: Player, choices: Choices) -> None:
    rules = _rules(player.play(_request(player, "samuel")))
    [change] = rules["R91"].changes
    assert (change.fact, change.value, change.outcome) == ("age", 65.0, "info")
    then = _rules(_changed(player, choices, "samuel", Changes(age=65)))
    assert (rules["R91"].outcome, then["R91"].outcome) == ("does not apply", "info")


def test_what_would_open_the_gate_is_said_of_a_silent_record(player: Player) -> None:
    gate = player.play(_request(player, "sofia")).explanation.gate
    assert gate.state == "closed"
    assert "weakness_or_fatigue" in {change.fact for change in gate.changes}
    assert player.play(_request(player, "ernest")).explanation.gate.silenced_by == ("R02",)


def test_a_rule_that_cannot_be_decided_names_what_is_lacking(player: Player) -> None:
    rules = _rules(player.play(_request(player, "ivan")))
    assert rules["R30"].outcome == "unknown"
    assert rules["R30"].lacking == ("potassium",)


def test_a_supposed_result_is_that_of_every_fact_that_reads_it(player: Player) -> None:
    """A glucose of 3 today is also one of the last 7 days, where below 4 is a warning."""
    for name in ("samuel", "ivan", "ada"):
        changes = _rules(player.play(_request(player, name)))["R33"].changes
        assert {change.fact for change in changes} == {"glucose_24_hours", "glucose_7_days"}
        for change in changes:
            value = float(change.value)
            right = "critical" if value < 3 else "warning"
            right = "does not apply" if 4 <= value < 19.95 else right
            assert change.outcome == right, (name, change)


# -- changes -------------------------------------------------------------------------------------


def test_a_change_leaves_the_request_as_it_was(player: Player, choices: Choices) -> None:
    request = _request(player, "samuel")
    before = deepcopy(request)
    everything = Changes(
        age=30,
        results={"potassium": 4.0},
        without=frozenset({"conditions.0", "laboratory.0"}),
        added=(("medicine", "lorazepam"), ("allergy", "sertraline"), ("problem", "fatigue")),
        lists={"allergies": "part", "conditions": "empty"},
    )
    changed = Changed(request, player.service.lists, choices, STORY_NOW).by(everything)
    assert request == before and changed != before
    assert player.play(changed).explanation.facts["age"].members["value"] == 30


@pytest.mark.parametrize("age", range(0, 121, 8))
def test_an_age_is_the_one_that_was_asked_for(player: Player, choices: Choices, age: int) -> None:
    played = _changed(player, choices, "ada", Changes(age=age))
    value = played.explanation.facts["age"].members.get("value", 0)
    assert value == age


@pytest.mark.parametrize("state", LIST_STATES[1:])
def test_a_list_comes_as_it_was_asked_for(player: Player, choices: Choices, state: str) -> None:
    played = _changed(player, choices, "ada", Changes(lists={"allergies": state}))
    came = {"empty": "whole", "part": "part", "failed": "failed", "not-sent": "not-sent"}[state]
    extension = played.response["extension"]["urn:cds-service:record-state"]
    assert extension["lists"]["allergies"] == came


def test_everything_that_can_be_added_is_read_by_a_fact(player: Player, choices: Choices) -> None:
    unread = []
    recorded = _request(player, "sofia")
    read_of = {
        addition: [
            name
            for name, definition in player.service.facts.items()
            if kind_of(definition).key == key
        ]
        for addition, key in (
            ("medicine", "medication"),
            ("allergy", "allergy"),
            ("problem", "condition"),
        )
    }
    for kind, some in (
        ("medicine", choices.medicines),
        ("allergy", choices.allergies),
        ("problem", choices.problems),
    ):
        for value_set in some:
            request = Changed(recorded, player.service.lists, choices, STORY_NOW).by(
                Changes(added=((kind, value_set),))
            )
            read = Facts(player.service.facts, _record(player, request))
            ids = {
                resource.get("id") for name in read_of[kind] for resource in read[name].resources
            }
            if f"what-if-{value_set}" not in ids:
                unread.append((kind, value_set))
    assert unread == []


def _record(player: Player, request: dict[str, Any]) -> PatientRecord:
    service = player.service
    return PatientRecord(player.call(request), service.terminology, service.statuses, service.lists)


def test_the_controls_show_what_is_recorded_and_what_was_changed(
    player: Player, choices: Choices
) -> None:
    request = _request(player, "grace")
    board = board_of(
        player.service,
        choices,
        request,
        player.call(request),
        Changes(age=50, results={"potassium": 4.5, "sodium": 140.0}),
    )
    rows = {row.measurement.choice.value_set: row for row in board.rows}
    assert (rows["potassium"].value, rows["potassium"].recorded) == ("4.5", "3.1")
    assert rows["potassium"].state == "stale"
    assert "potassium" not in {test.choice.value_set for test in board.tests}
    assert board.changes.results["potassium"] == 4.5


# -- hostile input -------------------------------------------------------------------------------


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["entry", "resource", "resourceType", "code", "coding", "total", "search"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(prefetch=_JSON, patient=_JSON, conditions=_JSON)
def test_no_request_breaks_a_change(
    player: Player, choices: Choices, prefetch: Any, patient: Any, conditions: Any
) -> None:
    everything = Changes(
        age=30,
        results={"potassium": 4.0},
        without=frozenset({"conditions.0"}),
        added=(("medicine", "lorazepam"),),
        lists={"allergies": "part"},
    )
    for sent in (prefetch, {"patient": patient, "conditions": conditions}):
        request = {"context": patient, "prefetch": sent}
        Changed(request, player.service.lists, choices, STORY_NOW).by(everything)


@given(st.dictionaries(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=3)))
def test_no_form_breaks_its_reading(fields: dict[str, list[str]]) -> None:
    try:
        form = read_form(fields)
    except InvalidRequest:
        return
    assert form.user == "" or form.user.startswith("Practitioner/playground-")


@given(st.text())
def test_no_text_becomes_an_element_that_is_not_ours(text: str) -> None:
    html = as_html(text + "\n\n<script>alert(1)</script><img src=x onerror=y>")
    assert "<script" not in html and "<img" not in html and "<!--" not in html


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**a** *b*", "<p><strong>a</strong> <em>b</em></p>\n"),
        ("[a](https://x.org)", '<a href="https://x.org" rel="noopener noreferrer">a</a>'),
        ("[a](javascript:alert(1))", "[a](javascript:alert(1))"),
        ("[a](data:text/html,x)", "[a](data:text/html,x)"),
        ("![a](https://x.org/a.png)", "!<a"),
        ("<b onclick=x>a</b>", "&lt;b onclick=x&gt;a&lt;/b&gt;"),
        ("&lt;script&gt;", "&lt;script&gt;"),
    ],
)
def test_markdown_is_shown_and_markup_is_not(markdown: str, html: str) -> None:
    assert html in as_html(markdown)


def test_who_is_not_one_person_is_nobody() -> None:
    for name in ("", "nobody", "a", "../patients/ada", "*"):
        with pytest.raises(UnknownPerson):
            person_named(name)


def test_every_label_stands_in_every_language_of_the_cards(service: CDSService) -> None:
    english = words.labels("en")
    for language in service.languages:
        labels = words.labels(language)
        assert set(labels) == set(english)
        for name, text in labels.items():
            assert text.strip() and text.count("{") == english[name].count("{"), (language, name)
        if language != "en":
            same = [name for name in english if labels[name] == english[name]]
            assert same == []
    assert orjson.dumps(english)
