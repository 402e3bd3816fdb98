"""Whether suggestions and actions are as CDS Hooks wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.conformance.checks import Check, held, only_known
from cds_service.conformance.json_text import is_text

_TYPES = ("create", "update", "delete")
_BEHAVIOURS = ("at-most-one", "any")
_ACTION = {"type", "description", "resource", "resourceId", "extension"}
_SUGGESTION = {"label", "uuid", "isRecommended", "actions", "actionSelectionBehavior", "extension"}
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64}")


def judge_system_actions(body: Mapping[str, Any], patient_id: str) -> Iterator[Check]:
    """SA-1 and SA-2, and the rules of each action."""
    yield held("SA-2", "systemActions" not in body, "systemActions are sent")
    if "systemActions" not in body:
        return
    actions = body["systemActions"]
    yield held("SA-1", isinstance(actions, list) and actions, "systemActions is no list, or empty")
    for action in actions if isinstance(actions, list) else ():
        yield held("SA-1", isinstance(action, dict), "a system action is no object")
        if isinstance(action, dict):
            yield from _action(action, patient_id)


def judge_suggestions(card: Mapping[str, Any], patient_id: str) -> Iterator[Check]:
    """The rules of the suggestions of a card that has the member."""
    suggestions, behaviour = card["suggestions"], card.get("selectionBehavior")
    is_list = isinstance(suggestions, list) and bool(suggestions)
    yield held("C-10", is_list, "suggestions is no list, or empty")
    if not is_list:
        return
    yield held("C-11", behaviour in _BEHAVIOURS, f"selectionBehavior {behaviour!r}")
    found = [each if isinstance(each, dict) else {} for each in suggestions]
    recommended = sum(each.get("isRecommended") is True for each in found)
    is_one = behaviour != "at-most-one" or recommended <= 1
    yield held("SG-4", is_one, f"{recommended} are recommended, one can be taken")
    for suggestion in found:
        yield from _suggestion(suggestion, patient_id)


def _suggestion(suggestion: Mapping[str, Any], patient_id: str) -> Iterator[Check]:
    yield held("SG-1", is_text(suggestion.get("label")), "a suggestion without label")
    yield held("SG-2", is_text(suggestion.get("uuid")), "a suggestion without uuid")
    yield only_known("C-14", suggestion, _SUGGESTION)
    if "isRecommended" in suggestion:
        is_boolean = isinstance(suggestion["isRecommended"], bool)
        yield held("SG-3", is_boolean, "isRecommended is no boolean")
    yield held("SG-6", "actionSelectionBehavior" not in suggestion, "it is sent")
    if "actions" not in suggestion:
        return
    actions = suggestion["actions"]
    yield held("SG-5", isinstance(actions, list) and actions, "actions is no list, or empty")
    for action in actions if isinstance(actions, list) else ():
        action = action if isinstance(action, dict) else {}
        yield held("A-2", is_text(action.get("description")), "an action without description")
        yield from _action(action, patient_id)


def _action(action: Mapping[str, Any], patient_id: str) -> Iterator[Check]:
    type_, resource = action.get("type"), action.get("resource")
    yield held("A-1", type_ in _TYPES, f"an action of type {type_!r}")
    yield only_known("A-6", action, _ACTION)
    is_whole = isinstance(resource, dict) and is_text(resource.get("resourceType"))
    if type_ == "create":
        yield held("A-3", is_whole, "a create without resource")
    elif type_ == "update":
        has_id = isinstance(resource, dict) and is_text(resource.get("id"))
        yield held("A-4", is_whole and has_id, "an update without resource or its id")
    elif type_ == "delete":
        found = action.get("resourceId")
        is_reference = isinstance(found, str) and _REFERENCE.fullmatch(found)
        yield held("A-5", is_reference, "a delete without resourceId")
    if isinstance(resource, dict) and patient_id:
        about = resource.get("subject") or resource.get("patient") or resource.get("for")
        reference = about.get("reference") if isinstance(about, dict) else None
        if isinstance(reference, str):
            is_theirs = reference.rpartition("/")[2] == patient_id
            yield held("A-7", is_theirs, "an action about somebody else")
