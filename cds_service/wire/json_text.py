"""JSON from outside: one value in UTF-8, nested no deeper than FHIR needs."""

from __future__ import annotations

from gc import get_referents
from itertools import repeat
from typing import Any

import orjson

from cds_service.errors import BodyTooLarge, UnreadableBody

LEVELS = 100  # of nesting; the deepest FHIR record that we know has fewer than twenty
_ORJSON_LEVELS = 1024
_SHORT = 64 * 1024  # bytes
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
    read = _read_short if len(text) < _SHORT else _read_long
    try:
        return read(text)
    except orjson.JSONDecodeError:
        raise UnreadableBody("The body is not JSON in UTF-8, or nests too deeply.") from None


def _read_short(text: bytes) -> Any:
    value = orjson.loads(text)
    # One level at a time; a loop over the values in Python would take longer than parsing them.
    level = [value]
    for _ in range(LEVELS):
        if not level:
            return value
        level = get_referents(*level)
    if any(isinstance(inner, (list, dict)) for inner in level):
        raise UnreadableBody("The body nests too deeply.")
    return value


def _read_long(text: bytes) -> Any:
    # Touching each value again takes long here. orjson has a fixed limit of depth; brackets around
    # the text lower it to ours.
    around = _ORJSON_LEVELS - LEVELS
    value = orjson.loads(b"[" * around + text + b"]" * around)
    try:
        for _ in repeat(None, around):
            (value,) = value
    except ValueError:  # the text closed one of our brackets
        raise UnreadableBody("The body is not one JSON value.") from None
    return value
