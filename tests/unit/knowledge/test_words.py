"""What a clinician reads: placeholders filled, and text of the record made harmless."""

from __future__ import annotations

import math
import time
import unicodedata
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.knowledge.cards.voice import LONGEST_TEXT, Voice, escape_markdown, harmless
from cds_service.knowledge.content.words import (
    Placeholder,
    Words,
    parse_text,
    parse_words,
    utf16_length,
)
from cds_service.knowledge.facts.kind import FactName
from cds_service.knowledge.record.quantities import Interval, number_text


@dataclass
class _Fact:
    value: Any = None
    names: Any = ()
    date: Any = None


def voice(**facts: _Fact) -> Voice:
    texts = {
        ("layout", "unknown"): "not known",
        ("layout", "list-separator"): ",",
        ("potassium", "label"): "potassium",
        ("potassium", "reading"): "potassium {{ potassium.value }}",
        ("sodium", "label"): "sodium",
    }
    return Voice(Words("en", {key: parse_text(text) for key, text in texts.items()}), facts)


def fill(source: str, *, plain: bool = False, **facts: _Fact) -> str:
    return voice(**facts).fill(parse_text(source), plain=plain)


# -- parsing -----------------------------------------------------------------------------------


def test_a_text_is_cut_into_pieces_and_placeholders() -> None:
    text = parse_text("K {{ potassium.value }} of {{date}}\n\nmore")
    assert text.pieces[:4] == (
        *("K ", Placeholder("potassium", "value"), " of ", Placeholder("date", "value")),
    )
    assert len(text.placeholders) == 2


@pytest.mark.parametrize(
    "source", ["{{ A }}", "{{a b}}", "{ a }", "{{ a.B }}", "{{ a.b.c }}", "{{}}"]
)
def test_other_braces_are_no_placeholder(source: str) -> None:
    assert parse_text(source).placeholders == ()


def test_the_first_paragraph_is_the_summary_and_the_rest_the_detail() -> None:
    text = parse_text("One {{ a }}\n\nTwo\n\nThree")
    assert text.summary == parse_text("One {{ a }}")
    assert text.detail == parse_text("Two\n\nThree")
    assert parse_text("One").detail.pieces == ()


def test_a_words_file_holds_parts_of_ids() -> None:
    source = "# R1 A title\n\n## info\none\n\ntwo\n\n## warning\nthree\n# R2\n## info\nfour\n"
    assert list(parse_words(source)) == [
        ("R1", "info", "one\n\ntwo", 3),
        ("R1", "warning", "three", 8),
        ("R2", "info", "four", 11),
    ]


def test_text_without_a_heading_of_its_own_is_the_part_without_a_name() -> None:
    assert list(parse_words("# R1\nlost\n## info\nx")) == [
        ("R1", "", "lost", 1),
        ("R1", "info", "x", 3),
    ]


def test_a_heading_of_the_third_level_is_text() -> None:
    assert list(parse_words("# R1\n## info\n### x")) == [("R1", "info", "### x", 2)]


def test_in_a_region_its_own_text_stands_for_the_one_of_everywhere() -> None:
    source = {"info": "by country", "info in CN": "as in China", "warning": "danger"}
    words = Words("en", {("R1", part): parse_text(text) for part, text in source.items()})
    assert words.in_region("CN").plain("R1", "info") == "as in China"
    assert words.in_region("CN").plain("R1", "warning") == "danger"
    assert words.in_region("US").plain("R1", "info") == "by country"


# -- filling -----------------------------------------------------------------------------------


def test_placeholders_are_filled_with_what_the_record_says() -> None:
    facts = {"potassium": _Fact(3.2, date="2026-11-20")}
    text = fill("K {{ potassium.value }} on {{ potassium.date }}", **facts)
    assert text == "K 3.2 on 2026-11-20"


def test_a_line_is_left_out_when_all_its_facts_are_empty() -> None:
    source = "always\nK {{ k.value }} {{ k.date }}\nnames {{ k.names }}\nend"
    assert fill(source, k=_Fact()) == "always\nend"
    assert fill(source, k=_Fact(0)) == "always\nend"
    assert fill(source, k=_Fact(3.0)) == "always\nK 3 not known\nend"


def test_a_text_without_placeholders_is_said_as_it_is() -> None:
    assert fill("**a**\n\nb & c") == "**a**\n\nb & c"


def test_a_missing_value_is_said_to_be_unknown_never_left_blank() -> None:
    assert fill("{{ a }} {{ b }}", a=_Fact(1.0), b=_Fact()) == "1 not known"


def test_names_of_facts_are_said_by_their_own_words() -> None:
    names = (FactName("potassium", "reading"), FactName("sodium", "reading"))
    facts = {"gap": _Fact(names=names), "potassium": _Fact(3.0)}
    assert fill("{{ gap.names }}", **facts) == "potassium 3, sodium"


def test_a_list_shows_five_names_and_counts_the_others() -> None:
    fact = _Fact(names=tuple("abcdefg"))
    assert fill("{{ x.names }}", x=fact) == "a, b, c, d, e +2"


def test_a_list_in_a_summary_shows_what_fits() -> None:
    fact = _Fact(names=("a" * 20, "b" * 14, "c"))
    assert fill("{{ x.names }}", plain=True, x=fact) == f"{'a' * 20}, {'b' * 14} +1"
    fact = _Fact(names=("a" * 20, "b" * 15, "c"))
    assert fill("{{ x.names }}", plain=True, x=fact) == f"{'a' * 20} +2"


def test_text_is_escaped_in_markdown_and_left_alone_in_a_summary() -> None:
    fact = _Fact("a*b & <c>")
    assert fill("{{ x }}", x=fact) == "a\\*b &amp; ‹c›"
    assert fill("{{ x }}", plain=True, x=fact) == "a*b & ‹c›"


def test_a_value_that_has_no_words_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="a dict has no words"):
        voice().shown({})


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((3.0, "3"), (3.25, "3.25"), (0.123456, "0.1235"), (1234.5, "1234"), (-1.0, "-1")),
        *((Interval(-math.inf, 5), "<5"), (Interval(1000, math.inf), ">1000")),
        (Interval(math.nextafter(10, 11), math.inf), ">10"),
        (Interval(-math.inf, math.nextafter(2.5, 0)), "<2.5"),
        (Interval(64, 65), "64–65"),
    ],
)
def test_numbers_are_written_for_a_clinician(number: Any, text: str) -> None:
    assert number_text(number) == text


# -- harmless ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\nb\tc\r\nd", "a b c d"),
        ("a\u0000b\u001bc", "a b c"),
        ("a\u202eb\u2066c\u200fd", "a b c d"),
        ("a\u200bb\ufeffc", "a b c"),
        ("a\ud800b", "a b"),
        ("  a   b  ", "a b"),
        ("https://evil.example.org", "https: //evil.example.org"),
        ("see www.evil.example", "see www evil.example"),
        ("see WWW.evil.example", "see WWW evil.example"),
        ("me@evil.example", "me at evil.example"),
        ("<b>x</b>", "‹b›x‹/b›"),
        ("5 < 6 > 4", "5 ‹ 6 › 4"),
        ("", ""),
    ],
)
def test_text_of_the_record_is_made_harmless(text: str, safe: str) -> None:
    assert harmless(text) == safe


@pytest.mark.parametrize("unit", ["x", "𝔵", " ", "\n", "www.", "://", "a b"])
def test_a_name_of_any_length_is_cut_in_no_time(unit: str) -> None:
    began = time.process_time()
    assert utf16_length(harmless(unit * 160_000)) <= LONGEST_TEXT
    assert time.process_time() - began < 0.2


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert harmless("a" * 40) == "a" * 40
    assert harmless("a" * 41) == "a" * 39 + "…"


def test_text_is_measured_as_javascript_does() -> None:
    assert utf16_length("a😀") == 3
    assert harmless("😀" * 20) == "😀" * 20
    assert harmless("😀" * 21) == "😀" * 19 + "…"


@given(st.text(max_size=80))
def test_harmless_text_is_one_short_line_without_control_characters(text: str) -> None:
    safe = harmless(text)
    assert utf16_length(safe) <= LONGEST_TEXT
    assert not any(unicodedata.category(character)[0] == "C" for character in safe)
    assert not {"<", ">", "\n", "@"} & set(safe)
    assert "://" not in safe and "www." not in safe.lower()


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=30))
def test_a_list_never_outgrows_what_a_summary_has_room_for(names: list[str]) -> None:
    shown = fill("{{ x.names }}", plain=True, x=_Fact(names=tuple(names)))
    assert utf16_length(shown) <= LONGEST_TEXT + 3


@pytest.mark.parametrize("names", [("😀" * 17, "😁" * 17), tuple(f"{n:040}" for n in range(12))])
def test_wide_and_many_names_do_not_outgrow_it_either(names: tuple[str, ...]) -> None:
    shown = fill("{{ x.names }}", plain=True, x=_Fact(names=names))
    assert utf16_length(shown) <= LONGEST_TEXT + 3


# -- Markdown ----------------------------------------------------------------------------------

# As browsers' renderers do: HTML is let through, tables and strikethrough are known.
MARKDOWN = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(
    ["table", "strikethrough"]
)
MARKUP = (
    *("html_block", "html_inline", "link_open", "image", "heading_open", "table_open"),
    *("em_open", "strong_open", "s_open", "code_inline", "code_block", "fence"),
)
NASTY = st.text(alphabet="a1 \\`*_[](){}#|~$<>&;!-+=.:/\"'\n\t@x", max_size=40) | st.text(
    max_size=40
)


def token_types(markdown: str) -> list[str]:
    tokens = MARKDOWN.parse(markdown)
    return [each.type for token in tokens for each in (token, *(token.children or ()))]


def shown_text(markdown: str) -> str:
    tokens = MARKDOWN.parse(markdown)
    return "".join(each.content for token in tokens for each in token.children or ())


@settings(max_examples=400)
@given(NASTY)
def test_text_of_the_record_after_a_label_is_shown_as_it_is(text: str) -> None:
    markdown = f"- **Label:** {escape_markdown(harmless(text))} end"
    types = [each for each in token_types(markdown) if each in MARKUP]
    assert types == ["strong_open"]
    assert shown_text(markdown).split() == ["Label:", *harmless(text).split(), "end"]


@settings(max_examples=400)
@given(NASTY)
def test_text_of_the_record_at_the_start_of_a_line_forms_no_markup(text: str) -> None:
    escaped = escape_markdown(harmless(text))
    for markdown in (escaped, f"above\n{escaped}", f"above\n{escaped}\nbelow", f"- {escaped}"):
        assert not set(token_types(markdown)) & set(MARKUP)


@pytest.mark.parametrize(
    "text",
    [
        *("<script>alert(1)</script>", "<img src=x onerror=y>", "[a](javascript:b)", "![a](b)"),
        *("# big", "**bold**", "__x__", "`code`", "~~gone~~", "| a | b |", "&lt;b&gt;", "&#60;"),
        *("\\<b>", "\\*a*", "[a]: https://x", "---", "===", "a\n===", "    code", "***"),
    ],
)
def test_known_tricks_form_no_markup(text: str) -> None:
    escaped = escape_markdown(harmless(text))
    for markdown in (f"x {escaped}", f"above\n{escaped}", f"| a |\n|---|\n{escaped}"):
        found = set(token_types(markdown)) & set(MARKUP) - {"table_open"}
        assert not found, markdown
