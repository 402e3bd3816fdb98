"""What a clinician reads: texts from cards/.../words, filled with facts that are made harmless."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cds_service.knowledge.record.quantities import Interval

_HEADING = re.compile(r"^(#{1,2}) +(.*?) *$")
_PLACEHOLDER = re.compile(r"\{\{ *([a-z_0-9]+)(?:\.([a-z_]+))? *\}\}")
_MARKDOWN = re.compile(r"([\\`*_\[\]#|~$])")
# What makes a list, a line or a heading where it begins a line.
_AT_THE_START = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=[-=+]))")
_WEB_ADDRESS = re.compile(r"(www)\.", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
# One text of the record on a card, and a list of them: names are read, not studied.
LONGEST_TEXT = 40
LONGEST_SUMMARY = 139  # UTF-16 code units; CDS Hooks, "Card Attributes": under 140


@dataclass(frozen=True, slots=True)
class FactName:
    """The name of a fact as a value, and the part of the fact's own words that says it."""

    name: str
    part: str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{{ age.value }}` in a text."""

    fact: str
    member: str


_Pieces = tuple["str | Placeholder", ...]


@dataclass(frozen=True)
class Text:
    """One text, line by line: literal pieces and placeholders in turn."""

    lines: tuple[_Pieces, ...]

    @cached_property
    def literal(self) -> str:
        """All that is said whatever the facts are."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def pieces(self) -> _Pieces:
        """All pieces, line breaks among them."""
        joined: list[str | Placeholder] = []
        for number, line in enumerate(self.lines):
            joined.extend((*(("\n",) if number else ()), *line))
        return tuple(joined)

    @cached_property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The facts that the text needs."""
        return tuple(
            piece for line in self.lines for piece in line if isinstance(piece, Placeholder)
        )

    @cached_property
    def summary(self) -> Text:
        """Its first paragraph: the summary of a card."""
        return Text(self.lines[: self._first_blank])

    @cached_property
    def detail(self) -> Text:
        """All but its first paragraph; empty when there is only one."""
        return Text(self.lines[self._first_blank + 1 :])

    @property
    def _first_blank(self) -> int:
        return self.lines.index(()) if () in self.lines else len(self.lines)


@dataclass(frozen=True)
class Words:
    """All texts of one service in one language, by id and part."""

    language: str
    texts: Mapping[tuple[str, str], Text]

    def has(self, id_: str, part: str) -> bool:
        """Whether there is such a text."""
        return (id_, part) in self.texts

    def plain(self, id_: str, part: str) -> str:
        """A text that has no placeholders."""
        return self.texts[id_, part].literal


def parse_text(source: str) -> Text:
    """A text with its placeholders; `{{ age }}` means `{{ age.value }}`."""
    return Text(tuple(_parse_line(line.rstrip()) for line in source.split("\n")))


def _parse_line(line: str) -> _Pieces:
    pieces: list[str | Placeholder] = []
    end = 0
    for found in _PLACEHOLDER.finditer(line):
        if found.start() > end:
            pieces.append(line[end : found.start()])
        pieces.append(Placeholder(found[1], found[2] or "value"))
        end = found.end()
    if end < len(line):
        pieces.append(line[end:])
    return tuple(pieces)


def parse_words(source: str) -> Iterable[tuple[str, str, str, int]]:
    """The (id, part, text, line) of a words file: `# id Title`, then `## part`, then the text.

    The title after the id is for the reader of the file. Text before the first `##` is refused by
    the caller as part "".
    """
    id_, part, lines, first = "", "", [], 0
    for number, line in enumerate(source.splitlines(), start=1):
        heading = _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        if id_ and (part or "".join(lines).strip()):
            yield id_, part, "\n".join(lines).strip(), first
        if heading[1] == "#":
            id_, part = heading[2].partition(" ")[0], ""
        else:
            part = heading[2]
        lines, first = [], number
    if id_ and (part or "".join(lines).strip()):
        yield id_, part, "\n".join(lines).strip(), first


class Voice:
    """Says texts about one patient in one language.

    `plain` is for summaries, which clients show as they are; everything else is Markdown, where
    text from the record can neither form markup nor HTML nor links.
    """

    def __init__(self, words: Words, facts: Mapping[str, Any]) -> None:
        self._words = words
        self._facts = facts

    def about(self, facts: Mapping[str, Any] | None) -> Voice:
        """The same voice about another reading of the record; None is the one it has."""
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
        """A punctuation mark of the language; only those of ASCII want a blank behind them."""
        mark = self.plain("layout", name)
        return f"{mark} " if mark.isascii() else mark

    def fill(self, text: Text, *, plain: bool = False) -> str:
        """A text with the facts put in; a line all of whose facts are empty or 0 is left out."""
        if not text.placeholders:
            return text.literal
        return "\n".join(self._fill_line(line, plain) for line in text.lines if self._says(line))

    def _says(self, line: _Pieces) -> bool:
        named = [piece for piece in line if isinstance(piece, Placeholder)]
        return not named or any(self._value(each) not in (None, (), 0) for each in named)

    def _fill_line(self, line: _Pieces, plain: bool) -> str:
        return "".join(
            piece if isinstance(piece, str) else self.shown(self._value(piece), plain=plain)
            for piece in line
        )

    def _value(self, placeholder: Placeholder) -> Any:
        return getattr(self._facts[placeholder.fact], placeholder.member)

    def text(self, id_: str, part: str) -> Text:
        """The text as it stands in the words."""
        return self._words.texts[id_, part]

    def shown(self, value: Any, *, plain: bool = False) -> str:
        """A fact's value as it stands on a card."""
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
        names = [harmless(value) for value in values]
        kept = _fitting(names) if plain else names[:5]
        text = self.join("list-separator", kept)
        if len(kept) < len(names):
            text += f" +{min(len(names) - len(kept), 99)}"
        return text if plain else escape_markdown(text)


def _fitting(names: list[str]) -> list[str]:
    """As many names as a summary has room for, the first one always, cut where others follow."""
    if len(names) == 1:
        return names
    room = LONGEST_TEXT - len(" +99")
    kept = [cut(names[0], room)]
    for name in names[1:]:
        if utf16_length(", ".join([*kept, name])) > room:
            break
        kept.append(name)
    return kept


def number_text(number: float | Interval) -> str:
    """A number as a clinician reads it: at most four digits that count, bounds as < and >."""
    if isinstance(number, Interval):
        if number.low == float("-inf"):
            return f"<{number_text(float(f'{number.high:.12g}'))}"
        if number.high == float("inf"):
            return f">{number_text(float(f'{number.low:.12g}'))}"
        return f"{number_text(number.low)}–{number_text(number.high)}"
    if abs(number) >= 1000:
        return f"{number:.0f}"
    return f"{number:.4g}"


def harmless(text: str) -> str:
    """Text of the record on one line: no control or direction characters, no links, cut."""
    text = "".join(
        character if unicodedata.category(character)[0] != "C" else " " for character in text
    )
    text = _SPACES.sub(" ", text).strip()
    text = _WEB_ADDRESS.sub(r"\1 ", text.replace("://", ": //")).replace("@", " at ")
    return cut(text.replace("<", "‹").replace(">", "›"), LONGEST_TEXT)


def cut(text: str, longest: int) -> str:
    """A text of at most so many UTF-16 units; an ellipsis says that there was more."""
    if utf16_length(text) <= longest:
        return text
    while utf16_length(text) >= longest:
        text = text[:-1]
    return text.rstrip() + "…"


def escape_markdown(text: str) -> str:
    """Text that neither Markdown (GFM) nor HTML reads as markup."""
    escaped = _MARKDOWN.sub(r"\\\1", text.replace("&", "&amp;"))
    return _AT_THE_START.sub(r"\1\\", escaped)


def utf16_length(text: str) -> int:
    """The length that JavaScript clients count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
