"""Texts said about one patient: placeholders filled with facts that are made harmless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.knowledge.content.words import (
    LONGEST_SUMMARY,
    Pieces,
    Placeholder,
    Text,
    Words,
    utf16_length,
)
from cds_service.knowledge.facts.kind import FactName
from cds_service.knowledge.record.quantities import Interval, number_text
from cds_service.knowledge.record.statements import Unsure

_MARKDOWN = re.compile(r"([\\`*_\[\]#|~$])")
# At the start of a line, these make a list, a rule or a heading.
_AT_THE_START = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-=+]))")
_WEB_ADDRESS = re.compile(r"(www)\.", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_BLANKS = re.compile(r"(?<=\S) {2,}")
# The longest text of the record on a card, and the longest list of names.
LONGEST_TEXT = 40
_MOST_READ = 1000  # characters of a text that are read; forty of them are shown
_MOST_NAMED = LONGEST_TEXT  # names that are read, because there is no space for more
_CONVERTED = ("value", "last_value")
ANSWERED = "answered"  # used like a fact in the words for an answered card


@dataclass(frozen=True, slots=True)
class AnsweredCard:
    """What a text may say about an answer to a card: its time of day."""

    at: str


class Voice:
    """Says texts about one patient in one language.

    `plain` is for summaries, which clients show as they are. Everything else is Markdown, in which
    text from the record cannot become markup, HTML or a link.
    """

    def __init__(self, words: Words, facts: Mapping[str, Any]) -> None:
        self._words = words
        self._facts = facts

    def about(self, facts: Mapping[str, Any] | None) -> Voice:
        """The same voice for another reading of the record; None keeps the present one."""
        return self if facts is None or facts is self._facts else Voice(self._words, facts)

    def has(self, id_: str, part: str) -> bool:
        """Whether there are words for it."""
        return self._words.has(id_, part)

    def say(self, id_: str, part: str) -> str:
        """The text as Markdown."""
        return self.fill(self._words.texts[id_, part])

    def plain(self, id_: str, part: str) -> str:
        """A text that has no placeholders."""
        return self._words.plain(id_, part)

    def join(self, mark: str, texts: Iterable[str]) -> str:
        """Texts with the language's own mark between them: `separator` or `list-separator`."""
        return self.mark(mark).join(texts)

    def mark(self, name: str) -> str:
        """A punctuation mark of the language; an ASCII mark is followed by a blank."""
        mark = self.plain("layout", name)
        return f"{mark} " if mark[-1:].isascii() else mark

    def in_brackets(self, text: str) -> str:
        """A text in the language's brackets, behind a blank if they are ASCII."""
        brackets = self.plain("layout", "brackets")
        blank = " " if brackets.isascii() else ""
        return f"{blank}{brackets[0]}{text}{brackets[-1]}"

    def fill(self, text: Text, *, plain: bool = False) -> str:
        """A text with the facts put in; a line is left out if all its facts are empty or 0."""
        if not text.placeholders:
            return text.literal
        lines = [line for line in text.lines if self._says(line)]
        said = "\n".join(self._fill_line(line, plain) for line in lines)
        if plain and utf16_length(said) > LONGEST_SUMMARY:
            return "\n".join(self._fill_line(line, plain, is_short=True) for line in lines)
        return said

    def _says(self, line: Pieces) -> bool:
        named = [piece for piece in line if isinstance(piece, Placeholder)]
        return not named or any(self._value(piece) not in (None, (), 0) for piece in named)

    def _fill_line(self, line: Pieces, plain: bool, *, is_short: bool = False) -> str:
        """The line; a value in another unit than the laboratory's stands in brackets behind it.

        `is_short` leaves out what the laboratory wrote.
        """
        pieces: list[str] = []
        unit = ""  # of the value before
        for at, piece in enumerate(line):
            if isinstance(piece, str):
                pieces.append(piece.removeprefix(unit))
                unit = ""
                continue
            shown = self.shown(self._value(piece), plain=plain)
            fact, behind = self._facts[piece.fact], line[at + 1 : at + 2]
            reported = getattr(fact, "reported", None) if piece.member in _CONVERTED else None
            if reported and not is_short and str(*behind).startswith(f" {fact.unit}"):
                unit = f" {fact.unit}"
                shown = f"{self.shown(reported, plain=plain)} ({shown}{unit})"
            pieces.append(shown)
        said = "".join(pieces)
        # Where one of several names is not there, its blank goes too.
        return _BLANKS.sub(" ", said).replace("( ", "(").replace(" )", ")").replace(" ）", "）")

    def _value(self, placeholder: Placeholder) -> Any:
        return getattr(self._facts[placeholder.fact], placeholder.member)

    def text(self, id_: str, part: str) -> Text:
        """The text as it is in the words."""
        return self._words.texts[id_, part]

    def shown(self, value: Any, *, plain: bool = False) -> str:
        """A fact's value as it is shown on a card."""
        match value:
            case None:
                return self._words.plain("layout", "unknown")
            case FactName(name, part):
                return self.say(name, part if self.has(name, part) else "label")
            case str():
                return harmless(value) if plain else escape_markdown(harmless(value))
            case Interval() | float() | int():
                return number_text(value)
            case tuple():
                return self._list(value, plain)
        raise TypeError(f"a {type(value).__name__} has no words")

    def _list(self, values: tuple[Any, ...], plain: bool) -> str:
        if all(isinstance(value, FactName) for value in values):
            return self.join("list-separator", (self.shown(value) for value in values))
        room = LONGEST_TEXT if len(values) == 1 else LONGEST_TEXT - len(" +99")
        names = [self._name(value, room) for value in values[:_MOST_NAMED]]
        kept = fitting(names) if plain else names[:5]
        text = self.join("list-separator", kept)
        if len(kept) < len(values):
            text += f" +{min(len(values) - len(kept), 99)}"
        return text if plain else escape_markdown(text)

    def _name(self, name: str, room: int) -> str:
        """A name of the record, with a remark if it may no longer be true."""
        if not isinstance(name, Unsure):
            return harmless(name)
        unsure = self.plain("layout", "unsure")
        mark = f" {unsure}" if unsure.isascii() else unsure
        return cut(harmless(name), room - utf16_length(mark)) + mark


def fitting(names: list[str]) -> list[str]:
    """As many names as fit in a summary: always the first, shortened if others follow."""
    if len(names) == 1:
        return names
    room = LONGEST_TEXT - len(" +99")
    kept = [cut(names[0], room)]
    for name in names[1:]:
        if utf16_length(", ".join([*kept, name])) > room:
            break
        kept.append(name)
    return kept


def harmless(text: str) -> str:
    """Text of the record on one line: no control or direction characters, no links, cut."""
    text = "".join(
        character if unicodedata.category(character)[0] != "C" else " "
        for character in text[:_MOST_READ]
    )
    text = _SPACES.sub(" ", text).strip()
    text = _WEB_ADDRESS.sub(r"\1 ", text.replace("://", ": //")).replace("@", " at ")
    return cut(text.replace("<", "‹").replace(">", "›"), LONGEST_TEXT)


def cut(text: str, longest: int) -> str:
    """A text of at most this many UTF-16 units; an ellipsis shows that it was cut."""
    if utf16_length(text) <= longest:
        return text
    text = text[:longest]  # a character is one or two units
    while utf16_length(text) >= longest:
        text = text[:-1]
    return text.rstrip() + "…"


def escape_markdown(text: str) -> str:
    """Text that neither Markdown (GFM) nor HTML reads as markup."""
    escaped = _MARKDOWN.sub(r"\\\1", text.replace("&", "&amp;"))
    return _AT_THE_START.sub(r"\1\\", escaped)
