"""Whether discovery and its prefetch templates are as CDS Hooks wants them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.conformance.checks import Check, held, only_known
from cds_service.conformance.json_text import is_text
from cds_service.conformance.target import Target
from cds_service.conformance.templates import judge_template
from cds_service.wire.hooks import HOOKS

_DEPRECATED = ("medication-prescribe", "order-review")
# The versions under which the library publishes its hooks; some pages name two.
_VERSIONS: Mapping[str, tuple[str, ...]] = {
    "order-sign": ("1.0", "1.1", "1.1.0"),
    "order-select": ("1.0", "1.0.2"),
    "order-dispatch": ("1.1", "1.1.0"),
    "medication-refill": ("0.1.0",),
    "medication-verify": ("0.1.0", "1.0"),
    "problem-list-item-create": ("0.1.0",),
    "allergyintolerance-create": ("0.1.0",),
}
_USUAL_VERSION = ("1.0", "1.0.0")
_SAFE_ID = re.compile(r"[A-Za-z0-9._~-]+")
_TOP = {"services", "version", "extension"}
_ENTRY = {
    *("id", "hook", "title", "description", "prefetch", "usageRequirements"),
    *("version", "hookVersion", "extension"),
}


def judge_discovery(target: Target) -> Iterator[Check]:
    """The rules of discovery as a whole."""
    reply = target.get(target.discovery)
    is_safe = target.base.startswith("https:") or target.is_here
    yield held("J-1", is_safe, "http to another machine")
    yield held("D-1", reply.status == 200, f"answered with {reply.told}")
    if reply.status != 200:
        return
    services = reply.body.get("services") if isinstance(reply.body, dict) else None
    yield held("D-2", isinstance(services, list), "there is no list of services")
    if not isinstance(services, list):
        return
    yield only_known("D-14", reply.body, _TOP)
    pairs = [(each.get("id"), each.get("hook")) for each in services if isinstance(each, dict)]
    texts = list(map(str, pairs))
    yield held("D-11", len(set(texts)) == len(texts), "an id and hook stand twice")
    again = target.get(target.discovery)
    yield held("D-15", again.body == reply.body, "a second look sees something else")
    slash = target.get(target.discovery + "/")
    yield held("D-16", slash.status == 200, f"answered with {slash.told}", only_warns=True)
    for method in ("POST", "DELETE"):
        other = target.ask(target.discovery, method)
        yield held("D-17", other.status == 405, f"{method} is answered with {other.told}")


def judge_entry(entry: Mapping[str, Any]) -> Iterator[Check]:
    """The rules of one service in discovery."""
    hook, id_ = entry.get("hook"), entry.get("id")
    for rule, member in (("D-3", "hook"), ("D-4", "description"), ("D-5", "id")):
        yield held(rule, is_text(entry.get(member)), f"{member} is missing")
    yield held("D-6", is_text(entry.get("title")), "title is missing")
    if "usageRequirements" in entry:
        yield held("D-8", is_text(entry["usageRequirements"]), "usageRequirements is no text")
    if "hookVersion" in entry and isinstance(hook, str):
        known = _VERSIONS.get(hook, _USUAL_VERSION)
        yield held("D-10", entry["hookVersion"] in known, f"hookVersion {entry['hookVersion']}")
    if isinstance(hook, str):
        is_known = (hook in HOOKS and hook not in _DEPRECATED) or "." in hook
        yield held("D-12", is_known, f"the hook {hook} is not in the library, or deprecated")
    if isinstance(id_, str):
        yield held("D-13", _SAFE_ID.fullmatch(id_), f"the id {id_}")
    yield only_known("D-14", entry, _ENTRY)
    if "prefetch" not in entry:
        return
    templates = entry["prefetch"]
    is_texts = isinstance(templates, dict) and all(map(is_text, templates.values()))
    yield held("D-7", is_texts and templates, "prefetch is no object of texts, or empty")
    if isinstance(templates, dict):
        for key, template in templates.items():
            if isinstance(template, str):
                yield from judge_template(key, template, str(hook))
