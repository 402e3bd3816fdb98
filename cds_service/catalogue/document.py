"""A document as frozen values: sections of blocks, with addresses instead of links.

What shows it, such as the pages, turns addresses into links and `Prose` from Markdown into HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

RULES, CAUSES, MEASURES, CLASSES, DRUGS, SUGGESTIONS, FACTS = (
    "rules",
    "causes",
    "measures",
    "classes",
    "drugs",
    "suggestions",
    "facts",
)
VALUE_SETS, SOURCES = "value-sets", "sources"
KINDS = (RULES, CAUSES, MEASURES, CLASSES, DRUGS, SUGGESTIONS, FACTS, VALUE_SETS, SOURCES)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a document is: of which kind, of which service, and in which version.

    Value sets and sources belong to no service; sources have no version.
    """

    kind: str
    id: str
    service: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Some text in a line: plain, code, or a link to an address here or a URL elsewhere."""

    text: str
    to: Address | None = None
    url: str = ""
    is_code: bool = False


Line = tuple["str | Run", ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One line of text."""

    kind: ClassVar[str] = "paragraph"
    line: Line


@dataclass(frozen=True, slots=True)
class Formula:
    """A condition as it stands in the content."""

    kind: ClassVar[str] = "formula"
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """Words of cards/ as Markdown."""

    kind: ClassVar[str] = "prose"
    markdown: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Names with what is to be said of each."""

    kind: ClassVar[str] = "terms"
    rows: Sequence[tuple[str, Line]]


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a list, with a list below it."""

    line: Line
    below: Sequence[Item] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    kind: ClassVar[str] = "items"
    items: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption; the first cell of each row names the row."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Line]]


Block = Paragraph | Formula | Prose | Terms | Items | Table


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with blocks; a section of a section has `level` 3."""

    heading: str
    blocks: Sequence[Block]
    level: int = 2


@dataclass(frozen=True, slots=True)
class Document:
    """One page: a title, a line below it, and the sections that have anything to say."""

    title: str
    lead: str
    sections: Sequence[Section]
    language: str = "en"


def joined(lines: Sequence[Line], separator: str = ", ") -> Line:
    """The lines as one, with a mark between them."""
    runs: list[str | Run] = []
    for number, line in enumerate(lines):
        runs += [*((separator,) if number else ()), *line]
    return tuple(runs)


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(run if isinstance(run, str) else run.text for run in line)
