"""Whether a body is the JSON that CDS Hooks wants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cds_service.conformance.caller import Reply
from cds_service.conformance.checks import Check, held

_MAY_BE_EMPTY = ("cards", "services")  # at the top
_DEEPEST = 200


def is_text(value: Any) -> bool:
    """Whether this is text that says something."""
    return isinstance(value, str) and bool(value.strip())


def judge_body(reply: Reply) -> Iterator[Check]:
    """The rules of JSON for a body with status 200."""
    is_json = reply.kind == "application/json" or reply.kind.endswith("+json")
    yield held("J-2", is_json, f"it is sent as {reply.kind or 'no media type'}")
    trouble = _trouble(reply.content)
    yield held("J-2", not trouble, trouble)
    if isinstance(reply.body, dict):
        yield from _members(reply.body, "", 0)


def _trouble(content: bytes) -> str:
    """Why a body is no strict JSON; "" if it is."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    try:
        json.loads(content.decode("utf-8"), parse_constant=refuse)
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except json.JSONDecodeError as error:
        return f"no JSON at character {error.pos}"
    except ValueError as error:
        return str(error)
    except RecursionError:
        return "it nests too deeply"
    return ""


def _members(value: Any, path: str, depth: int, *, in_resource: bool = False) -> Iterator[Check]:
    """J-3 to J-6 for every member under a value."""
    if depth > _DEEPEST:
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in pairs:
        where = f"{path}.{name}" if path else str(name)
        is_resource = in_resource or (name == "resource" and isinstance(member, dict))
        is_extension = name == "extension" and not in_resource
        if is_extension:
            yield held("J-5", isinstance(member, dict), f"{where} is no object")
            names = member if isinstance(member, dict) else ()
            for each in names:
                yield held("J-6", "." in each or ":" in each, f"{where}: {each}")
            continue
        is_empty = member is None or member in ("", [], {})
        if is_empty and not (depth == 0 and name in _MAY_BE_EMPTY and member == []):
            yield held("J-4" if in_resource else "J-3", False, f"{where} is empty")
        else:
            yield held("J-4" if in_resource else "J-3", True, "")
        if isinstance(member, (dict, list)):
            yield from _members(member, where, depth + 1, in_resource=is_resource)
