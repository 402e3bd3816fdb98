"""What somebody has filled in: whom they chose, and what they changed about them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cds_service.errors import CDSError, InvalidRequest
from cds_service.playground.changes import ADDITIONS, LIST_STATES, OLDEST, Changes

_USER = re.compile(r"Practitioner/playground-[0-9a-f]{12}\Z")
_MOST_CHANGES = 500
_LONGEST_AGE = 3
# A point or a comma before the decimals; as many digits as results have, and some more.
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:[.,]\d{1,30})?(?:[eE][+-]?\d)?")
# For some people 1,000 is one, for others a thousand. 0,125 is clear.
_MAY_BE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+\Z")
_NOT_AN_AGE = f"The age must be a whole number from 0 to {OLDEST}."
_NOT_A_NUMBER = "A result must be a number, such as 3.5, without a separator of thousands."
_AGE, _RESULT, _RECORDED, _LIST, _ADD = "age", "result.", "recorded.", "list.", "add."


@dataclass(frozen=True, slots=True)
class Form:
    """The form of the playground. `record` is what was pasted or uploaded; it is never logged.

    `wrong` are the fields that are no numbers, as they were entered; they are no changes.
    """

    person: str = ""
    record: bytes = field(default=b"", repr=False)
    user: str = ""
    changes: Changes = field(default_factory=Changes, repr=False)
    wrong: Mapping[str, str] = field(default_factory=dict, repr=False)

    def fault(self) -> CDSError | None:
        """A sentence for each field that is wrong; None if all are right."""
        if not self.wrong:
            return None
        return InvalidRequest.at(
            {
                name.removeprefix(_RESULT)[:100]: _NOT_AN_AGE if name == _AGE else _NOT_A_NUMBER
                for name in self.wrong
            }
        )


def read_form(fields: Mapping[str, Sequence[str]], upload: bytes = b"") -> Form:
    """The form from its fields, each with all its values; an upload counts before a text.

    Changes belong to the person or record that they were made on: choosing another one drops them.
    """
    person = _one(fields, "person")
    record = upload or _one(fields, "record").encode()
    has_changes = not upload and _one(fields, "of") == (person or "record")
    user = _one(fields, "user")
    wrong: dict[str, str] = {}
    return Form(
        person=person,
        record=b"" if person else record,
        user=user if _USER.match(user) and has_changes else "",
        changes=_changes(fields, wrong) if has_changes else Changes(),
        wrong=wrong,
    )


def _changes(fields: Mapping[str, Sequence[str]], wrong: dict[str, str]) -> Changes:
    """The changes; a field that is no number is put into `wrong` instead."""
    entered = {
        name: value
        for name in list(fields)[:_MOST_CHANGES]
        if name.startswith(_RESULT)
        and (value := _one(fields, name))
        # As it stands on the record, a result may be no number: "<0.01".
        and value != _one(fields, name.replace(_RESULT, _RECORDED, 1))
    }
    if test := _one(fields, "test"):
        entered[f"{_RESULT}{test}"] = _one(fields, "test-value")
    results = {}
    for name, text in entered.items():
        number = _number(text)
        if number is None:
            wrong[name] = text
        else:
            results[name.removeprefix(_RESULT)] = number
    age = _age(text) if (text := _one(fields, _AGE)) else None
    if text and age is None:
        wrong[_AGE] = text
    return Changes(
        age=age,
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
    """The age; None if it is none."""
    if not text.isdecimal() or len(text) > _LONGEST_AGE or int(text) > OLDEST:
        return None
    return int(text)


def _number(text: str) -> float | None:
    """A number, which some write with a comma; None if it is none, or could be two numbers."""
    if not _NUMBER.fullmatch(text) or _MAY_BE_THOUSANDS.match(text):
        return None
    return float(text.replace(",", "."))


def _one(fields: Mapping[str, Sequence[str]], name: str) -> str:
    values = fields.get(name, ())
    return values[0].strip() if values else ""
