"""What somebody has filled in: whom they chose, and what they changed about them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cds_service.errors import InvalidRequest
from cds_service.playground.changes import ADDITIONS, LIST_STATES, OLDEST, Changes

_USER = re.compile(r"Practitioner/playground-[0-9a-f]{12}\Z")
_MOST_CHANGES = 500
_RESULT, _RECORDED, _LIST, _ADD = "result.", "recorded.", "list.", "add."


@dataclass(frozen=True, slots=True)
class Form:
    """The form of the playground. `record` is what was pasted or uploaded; it is never logged."""

    person: str = ""
    record: bytes = field(default=b"", repr=False)
    user: str = ""
    changes: Changes = field(default_factory=Changes, repr=False)


def read_form(fields: Mapping[str, Sequence[str]], upload: bytes = b"") -> Form:
    """The form from its fields, each with all its values; an upload counts before a text.

    Changes belong to the person or record that they were made on: choosing another one drops them.
    Raises InvalidRequest if something in it is no number.
    """
    person = _one(fields, "person")
    record = upload or _one(fields, "record").encode()
    has_changes = not upload and _one(fields, "of") == (person or "record")
    user = _one(fields, "user")
    return Form(
        person=person,
        record=b"" if person else record,
        user=user if _USER.match(user) and has_changes else "",
        changes=_changes(fields) if has_changes else Changes(),
    )


def _changes(fields: Mapping[str, Sequence[str]]) -> Changes:
    results = {
        name.removeprefix(_RESULT): _number(name.removeprefix(_RESULT), value)
        for name in list(fields)[:_MOST_CHANGES]
        if name.startswith(_RESULT)
        and (value := _one(fields, name))
        # As it stands on the record, a result may be no number: "<0.01".
        and value != _one(fields, name.replace(_RESULT, _RECORDED, 1))
    }
    if test := _one(fields, "test"):
        results[test] = _number(test, _one(fields, "test-value"))
    return Changes(
        age=_age(_one(fields, "age")),
        results=results,
        without=frozenset(fields.get("without", ())[:_MOST_CHANGES]),
        added=tuple(_added(fields)),
        lists={
            name.removeprefix(_LIST): state
            for name in list(fields)[:_MOST_CHANGES]
            if name.startswith(_LIST) and (state := _one(fields, name)) in LIST_STATES and state
        },
    )


def _added(fields: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """What was added before and is still ticked, then what was just chosen, each once."""
    pairs = [text.partition(".")[::2] for text in fields.get("added", ())[:_MOST_CHANGES]]
    pairs += [(addition, _one(fields, f"{_ADD}{addition}")) for addition in ADDITIONS]
    return list(dict.fromkeys((kind, name) for kind, name in pairs if kind in ADDITIONS and name))


def _age(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text[:4]) > OLDEST:
        raise InvalidRequest(f"The age must be a whole number from 0 to {OLDEST}.", "age")
    return int(text)


def _number(name: str, text: str) -> float:
    """A number; some write it with a comma."""
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidRequest("A result must be a number, such as 3.5.", name[:100])
    return number


def _one(fields: Mapping[str, Sequence[str]], name: str) -> str:
    values = fields.get(name, ())
    return values[0].strip() if values else ""
