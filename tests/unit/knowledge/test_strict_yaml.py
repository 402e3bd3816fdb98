"""YAML without its traps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.knowledge.loading.strict_yaml import ContentError, read_yaml


def read(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "content.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *(("no", "no"), ("on", "on"), ("Yes", "Yes"), ("True", "True"), ("true", True)),
        *(("0401", "0401"), ("10", 10), ("-3", -3), ("1.5", 1.5), ("1e3", "1e3"), ("0x10", "0x10")),
        *(("1_000", "1_000"), ("12:30", "12:30"), ("2026-11-22", "2026-11-22"), (".5", ".5")),
        *(("1.0.0", "1.0.0"), ("null", None), ("~", None), ("", None), ("Null", "Null")),
        *((".inf", ".inf"), ("'1'", "1"), ("010.5", "010.5"), ("-0", 0)),
    ],
)
def test_only_plain_numbers_true_false_and_empty_are_special(
    tmp_path: Path, written: str, value: object
) -> None:
    found = read(tmp_path, f"key: {written}")["key"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1: a is here twice"),
        ("x:\n  - {a: 1, a: 2}", "line 2, column 12: a is here twice"),
        ("'1': a\n1: b\n'1': c", "line 3, column 1: 1 is here twice"),
    ],
)
def test_a_key_that_stands_twice_is_told_with_its_place(
    tmp_path: Path, text: str, place: str
) -> None:
    with pytest.raises(ContentError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == place


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: b: c",
        "\t- x",
        "a: !!python/object:os.system x",
        "&a [*b]",
        "a: 1\n---\nb: 2",
        "a: !!seq b",
        "&a [*a]",
    ],
)
def test_what_is_no_safe_yaml_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContentError, match=r"^line \d+, column \d+: "):
        read(tmp_path, text)


def test_a_key_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError):
        read(tmp_path, "? [a, b]\n: c")


def test_a_merge_key_is_a_text_like_any_other(tmp_path: Path) -> None:
    assert read(tmp_path, "x: &x {a: 1}\ny:\n  <<: *x") == {"x": {"a": 1}, "y": {"<<": {"a": 1}}}
