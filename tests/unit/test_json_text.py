"""JSON from outside."""

from __future__ import annotations

import pytest

from cds_service.errors import UnreadableBody
from cds_service.wire.json_text import LEVELS, read_json


@pytest.mark.parametrize("text, value", [(b'{"a": [1]}', {"a": [1]}), (b" null ", None), (b"7", 7)])
def test_one_value_is_read(text: bytes, value: object) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1] [2]", b"1],[1", b"NaN", b"\xff", b"'a'", b"{},{}"]
)
def test_anything_else_is_refused(text: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read_json(text)


def test_it_may_nest_so_deep_and_no_deeper() -> None:
    read_json(b"[" * LEVELS + b"]" * LEVELS)
    with pytest.raises(UnreadableBody):
        read_json(b"[" * (LEVELS + 1) + b"]" * (LEVELS + 1))
