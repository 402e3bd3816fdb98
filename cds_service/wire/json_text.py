"""JSON from outside: one value in UTF-8, nested no deeper than FHIR needs."""

from __future__ import annotations

from gc import get_referents
from typing import Any

import orjson

from cds_service.errors import BodyTooLarge, UnreadableBody

LEVELS = 100  # of nesting; the deepest FHIR record that we know has fewer than twenty
_BOM = b"\xef\xbb\xbf"
# A body of 16 MiB that holds FHIR has about 800,000 values and takes six times its size in memory;
# one of nothing but empty objects has eleven million, and takes twenty-five times its size.
MOST_VALUES = 1_000_000


def read_json(text: bytes) -> Any:
    """The value in a text.

    Raises UnreadableBody for text that is not JSON or nests too deeply, and BodyTooLarge for more
    values than any record has.
    """
    text = text.removeprefix(_BOM)  # which some libraries write before UTF-8
    # One of these characters is before each value except the first; inside strings they are rare.
    if len(text) > MOST_VALUES and sum(map(text.count, (b",", b"{", b"["))) > MOST_VALUES:
        raise BodyTooLarge("The body holds more values than this service reads in a call.")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise UnreadableBody("The body is not JSON in UTF-8, or nests too deeply.") from None
    if _is_too_deep(value):
        raise UnreadableBody(f"The body nests more than {LEVELS} levels deep.")
    return value


def _is_too_deep(value: Any) -> bool:
    """Whether lists and objects nest more than LEVELS deep."""
    # One level at a time. In Python, a loop over the values would take longer than parsing them.
    level = [value]
    for _ in range(LEVELS):
        if not level:
            return False
        level = get_referents(*level)
    return any(isinstance(inner, (list, dict)) for inner in level)
