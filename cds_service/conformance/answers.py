"""Whether the answer to a call is as CDS Hooks wants it, from cards to links."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from cds_service.conformance.actions import judge_suggestions, judge_system_actions
from cds_service.conformance.checks import Check, held, only_known
from cds_service.conformance.json_text import is_text
from cds_service.setting_types import is_loopback
from cds_service.wire.responses import SUMMARY_UNITS

_INDICATORS = ("info", "warning", "critical")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ANSWER = {"cards", "systemActions", "extension"}
_CARD = {
    *("uuid", "summary", "detail", "indicator", "source", "suggestions"),
    *("selectionBehavior", "overrideReasons", "links", "extension"),
}
_SOURCE = {"label", "url", "icon", "topic", "extension"}
_LINK = {"label", "url", "type", "appContext", "autolaunchable", "extension"}
# What may be there as text: code between back-quotes, and characters after a backslash.
_AS_TEXT = re.compile(r"```.*?```|`[^`]*`|\\.", re.DOTALL)
_ACTIVE = re.compile(
    r"<\s*/?\s*(script|iframe|object|embed|style|link|meta|svg|img|form|base|video|audio)\b"
    r"|<[a-z][^>]*\son\w+\s*=|\]\(\s*<?\s*(javascript|data|vbscript):|href\s*=\W*javascript:",
    re.IGNORECASE,
)


def is_address(value: Any) -> bool:
    """Whether this is a whole http(s) address."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def judge_answer(body: Any, patient_id: str = "") -> Iterator[Check]:
    """The rules of an answer with status 200 to a call about this patient."""
    cards = body.get("cards") if isinstance(body, dict) else None
    yield held("S-2", isinstance(cards, list), "there is no list of cards")
    if not isinstance(body, dict):
        return
    yield only_known("S-4", body, _ANSWER)
    yield from judge_system_actions(body, patient_id)
    if not isinstance(cards, list):
        return
    for number, card in enumerate(cards, start=1):
        yield held("C-1", isinstance(card, dict), f"card {number} is no object")
        if isinstance(card, dict):
            for check in _card(card, patient_id):
                yield check.about(f"card {number}")
    uuids = [each for each in _uuids(cards) if each is not None]
    yield held("C-7", len(set(map(str, uuids))) == len(uuids), "a uuid stands twice")


def _card(card: Mapping[str, Any], patient_id: str) -> Iterator[Check]:
    summary, detail = card.get("summary"), card.get("detail")
    yield held("C-2", is_text(summary), "no summary")
    if isinstance(summary, str):
        length = len(summary.encode("utf-16-le", "replace")) // 2
        yield held("C-3", length <= SUMMARY_UNITS, f"a summary of {length} characters")
        yield held("C-3", len(summary.splitlines()) <= 1, "a summary of several lines")
        yield held("H-2", not _ACTIVE.search(summary), "markup in the summary")
    yield held("C-4", card.get("indicator") in _INDICATORS, f"indicator {card.get('indicator')!r}")
    if "detail" in card:
        yield held("C-5", isinstance(detail, str), "detail is no text")
        if isinstance(detail, str):
            is_safe = not _ACTIVE.search(_AS_TEXT.sub("", detail))
            yield held("C-9", is_safe, "active markup in the detail")
    uuid = card.get("uuid")
    yield held("C-6", isinstance(uuid, str) and _UUID.fullmatch(uuid), f"uuid {uuid!r}")
    yield only_known("C-14", card, _CARD)
    yield from _source(card.get("source"))
    if "overrideReasons" in card:
        yield from _override_reasons(card)
    if "suggestions" in card:
        yield from judge_suggestions(card, patient_id)
    if "links" in card:
        links = card["links"]
        yield held("C-12", isinstance(links, list) and links, "links is no list, or empty")
        for link in links if isinstance(links, list) else ():
            yield from _link(link if isinstance(link, dict) else {}, patient_id)


def _source(source: Any) -> Iterator[Check]:
    yield held("SR-1", isinstance(source, dict), "no source")
    if not isinstance(source, dict):
        return
    yield held("SR-2", is_text(source.get("label")), "a source without label")
    yield only_known("C-14", source, _SOURCE)
    for member, rule in (("url", "SR-3"), ("icon", "SR-4")):
        if member in source:
            yield held(rule, is_address(source[member]), f"{member} is no whole address")
    if "topic" in source:
        yield held("SR-5", _is_coding(source["topic"]), "topic without code or system")


def _override_reasons(card: Mapping[str, Any]) -> Iterator[Check]:
    reasons = card["overrideReasons"]
    yield held("O-1", isinstance(reasons, list) and reasons, "overrideReasons is no list, or empty")
    yield held("O-4", "uuid" in card, "override reasons on a card without uuid")
    seen = []
    for reason in reasons if isinstance(reasons, list) else ():
        is_whole = _is_coding(reason) and is_text(reason.get("display"))
        yield held("O-2", is_whole, "a reason without code, system or display")
        if isinstance(reason, dict):
            seen.append((str(reason.get("system")), str(reason.get("code"))))
    yield held("O-3", len(set(seen)) == len(seen), "a reason stands twice")


def _link(link: Mapping[str, Any], patient_id: str) -> Iterator[Check]:
    yield held("L-1", is_text(link.get("label")), "a link without label")
    yield only_known("C-14", link, _LINK)
    url, type_ = link.get("url"), link.get("type")
    yield held("L-2", is_address(url), "a link without a whole address")
    yield held("L-3", type_ in ("absolute", "smart"), f"a link of type {type_!r}")
    if "appContext" in link:
        is_well = type_ == "smart" and isinstance(link["appContext"], str)
        yield held("L-4", is_well, f"appContext on a link of type {type_!r}")
    if "autolaunchable" in link:
        yield held("L-5", isinstance(link["autolaunchable"], bool), "autolaunchable is no boolean")
    if isinstance(url, str) and is_address(url):
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or is_loopback(parts.hostname or "")
        yield held("L-6", is_safe and not parts.password, "a link is no https")
        yield held("L-7", not patient_id or patient_id not in url, "a link has the patient's id")


def _is_coding(value: Any) -> bool:
    return isinstance(value, dict) and is_text(value.get("code")) and is_text(value.get("system"))


def _uuids(cards: list[Any]) -> Iterator[Any]:
    for card in cards:
        if isinstance(card, dict):
            yield card.get("uuid")
            suggestions = card.get("suggestions")
            for each in suggestions if isinstance(suggestions, list) else ():
                yield each.get("uuid") if isinstance(each, dict) else None
