"""The texts that clinicians read: cards/.../words, with placeholders for facts."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

_HEADING = re.compile(r"^(#{1,2}) +(.*?) *$")
_PLACEHOLDER = re.compile(r"\{\{ *([a-z_0-9]+)(?:\.([a-z_]+))? *\}\}")
_BULLET = re.compile(r"^( *(?:- )?)")
SHORT = "short"  # what a rule or a measure says in the short text of the information card
IN = " in "  # `info in CN`: what stands for `info` where the site is in this region
OPTION = "option"  # what a rule says beside all items that have no words of their own
LONGEST_SUMMARY = 139  # UTF-16 code units; CDS Hooks, "Card Attributes": under 140


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{{ age.value }}` in a text."""

    fact: str
    member: str


Pieces = tuple["str | Placeholder", ...]


@dataclass(frozen=True)
class Text:
    """One text, line by line: literal pieces and placeholders in turn."""

    lines: tuple[Pieces, ...]

    @cached_property
    def literal(self) -> str:
        """The text without its placeholders."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def pieces(self) -> Pieces:
        """All pieces, including line breaks."""
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
        """All paragraphs but the first; empty if there is only one."""
        return Text(self.lines[self._first_blank + 1 :])

    @cached_property
    def about_the_patient(self) -> Text:
        """Its lines that say something of the record."""
        return Text(tuple(filter(_named, self.lines)))

    @cached_property
    def about_everybody(self) -> Text:
        """Its lines that say nothing of the record."""
        return Text(tuple(line for line in self.lines if not _named(line)))

    def marked(self, language: str) -> Text:
        """The text with its language at the start, where it stands for a missing translation.

        A line with placeholders may be left out, so those at the start are marked up to the first
        line without any.
        """
        first = next((at for at, line in enumerate(self.lines) if line and not _named(line)), 0)
        lines = [
            _marked(line, f"[{language}] ") if line and at <= first else line
            for at, line in enumerate(self.lines)
        ]
        return Text(tuple(lines))

    @property
    def _first_blank(self) -> int:
        return self.lines.index(()) if () in self.lines else len(self.lines)


def _marked(line: Pieces, mark: str) -> Pieces:
    """The line with a mark behind its bullet, if it has one."""
    if not isinstance(line[0], str):
        return (mark, *line)
    return (_BULLET.sub(rf"\1{mark}", line[0], count=1), *line[1:])


def _named(line: Pieces) -> bool:
    """Whether a line says something of the record."""
    return any(isinstance(piece, Placeholder) for piece in line)


@dataclass(frozen=True)
class Words:
    """All texts of one service in one language, by id and part.

    `borrowed` are those that stand in the default language, because there is no translation yet.
    `titles` are what the headings of the files call an id; cards do not show them.
    """

    language: str
    texts: Mapping[tuple[str, str], Text]
    borrowed: frozenset[tuple[str, str]] = frozenset()
    titles: Mapping[str, str] = field(default_factory=dict)

    def borrowing(self, default: Words, ids: Container[str]) -> Words:
        """These words, with what is not translated of some ids in the default language, marked."""
        missing = {
            key: text.marked(default.language)
            for key, text in default.texts.items()
            if key not in self.texts and key[0] in ids
        }
        return replace(self, texts={**self.texts, **missing}, borrowed=frozenset(missing))

    def in_region(self, region: str) -> Words:
        """These words, where a text for the region (`## info in CN`) replaces the one without."""
        ending = f"{IN}{region}"
        texts = {
            (id_, part.removesuffix(ending)): text
            for (id_, part), text in self.texts.items()
            if part.endswith(ending)
        }
        return replace(self, texts={**self.texts, **texts})

    @property
    def own(self) -> Mapping[tuple[str, str], Text]:
        """The texts that are written in this language."""
        return {key: text for key, text in self.texts.items() if key not in self.borrowed}

    def has(self, id_: str, part: str) -> bool:
        """Whether there is such a text."""
        return (id_, part) in self.texts

    def plain(self, id_: str, part: str) -> str:
        """A text that has no placeholders."""
        return self.texts[id_, part].literal


def parse_text(source: str) -> Text:
    """A text with its placeholders; `{{ age }}` means `{{ age.value }}`."""
    return Text(tuple(_parse_line(line.rstrip()) for line in source.split("\n")))


def _parse_line(line: str) -> Pieces:
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


def parse_titles(source: str) -> Mapping[str, str]:
    """What the headings `# id Title` of a words file call each id, where they call it anything."""
    titles = {}
    for line in source.splitlines():
        heading = _HEADING.match(line)
        if heading and heading[1] == "#":
            id_, _, title = heading[2].partition(" ")
            if title:
                titles[id_] = title
    return titles


def utf16_length(text: str) -> int:
    """The length that JavaScript clients count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
