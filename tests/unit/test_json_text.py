"""JSON from outside."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import UnreadableBody
from cds_service.wire.json_text import LEVELS, read_json


@pytest.mark.parametrize("text, value", [(b'{"a": [1]}', {"a": [1]}), (b" null ", None), (b"7", 7)])
def test_one_value_is_read(text: bytes, value: object) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("blanks", [0, 100_000], ids=["short", "long"])
@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1] [2]", b"1],[1", b"NaN", b"\xff", b"'a'", b"{},{}"]
)
def test_anything_else_is_refused(text: bytes, blanks: int) -> None:
    with pytest.raises(UnreadableBody):
        read_json(text + b" " * blanks)


@pytest.mark.parametrize("blanks", [0, 100_000], ids=["short", "long"])
def test_it_may_nest_so_deep_and_no_deeper(blanks: int) -> None:
    read_json(b"[" * LEVELS + b"]" * LEVELS + b" " * blanks)
    with pytest.raises(UnreadableBody):
        read_json(b"[" * (LEVELS + 1) + b"]" * (LEVELS + 1) + b" " * blanks)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, list | dict) and 1 + max(map(_depth, inner), default=0)


@given(
    st.recursive(
        st.none() | st.text(max_size=3) | st.integers(-9, 9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    ),
    st.integers(LEVELS - 4, LEVELS + 1),
    st.booleans(),
    st.sampled_from((0, 100_000)),
)
def test_the_deepest_place_counts(value: Any, around: int, in_objects: bool, blanks: int) -> None:
    for _ in range(around):
        value = {"a": "]", "b": value} if in_objects else ["[", value, []]
    text = orjson.dumps(value) + b" " * blanks
    if _depth(value) > LEVELS:
        with pytest.raises(UnreadableBody):
            read_json(text)
    else:
        assert read_json(text) == value
