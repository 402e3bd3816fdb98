"""Text in clauses: words without case and accents, and the marks between the clauses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import filterfalse

Words = tuple[str, ...]
ByFirstWord = Mapping[str, list[Words]]

_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile(r"([.;!\n]|[:,()\[\]]|[\u2013\u2014|]|\s[-/](?=\s|\w)|-\s)")
_SENTENCE_END = frozenset(".;!\n")
_LETTERS = re.compile(
    r"\b([^\W\d_])\.\s?([^\W\d_])\."
)  # "Z.n." is one abbreviation, not a sentence


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence: its words, the mark before it, the number of its sentence."""

    words: Words
    mark: str
    sentence: int


def clauses_of(text: str) -> list[Clause]:
    """The clauses of a text that hold words."""
    clauses: list[Clause] = []
    mark, sentence = "", 0
    for part in _BREAK.split(_LETTERS.sub(r"\1 \2 ", text)):
        if _BREAK.fullmatch(part):
            mark = part.strip() or mark
            sentence += part in _SENTENCE_END
            continue
        words = tuple(normalise(part).split())
        if words:
            clauses.append(Clause(words, mark, sentence))
            mark = ""
    return clauses


def heading(clauses: Sequence[Clause], at: int) -> Clause | None:
    """The first part of a sentence if the phrase comes after it: "FH: ...", "[FH] ..."."""
    first = at
    while first and clauses[first - 1].sentence == clauses[at].sentence:
        first -= 1
    return clauses[first] if first < at and clauses[first + 1].mark != "," else None


def following(clauses: Sequence[Clause], at: int) -> Words | None:
    """The next part of the same sentence."""
    if at + 1 < len(clauses) and clauses[at + 1].sentence == clauses[at].sentence:
        return clauses[at + 1].words
    return None


def normalise(text: str) -> str:
    """Words in lower case, without accents, one blank between; a `*` at the end of a word stays."""
    folded = text
    if not text.isascii():
        folded = unicodedata.normalize("NFKD", text)
        folded = "".join(filterfalse(unicodedata.combining, folded))
    folded = folded.lower()
    folded = folded.replace("'", "").replace("\u2019", "").replace("\u200b", "")
    if "*" not in folded:  # nearly always
        return " ".join(_WORD.findall(folded))
    return " ".join(
        word.group() + ("*" if folded[word.end() : word.end() + 1] == "*" else "")
        for word in _WORD.finditer(folded)
    )


def is_unspaced(phrase: str) -> bool:
    """Whether the phrase is written in a script that does not separate words (Chinese, kana)."""
    return any("\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff" for c in phrase)


def stands_at(phrase: Words, words: Sequence[str], start: int) -> bool:
    """Whether a phrase begins at this word; `*` at the end of a word means any ending."""
    if start + len(phrase) > len(words):
        return False
    for at, expected in enumerate(phrase, start):
        if words[at] == expected:
            continue
        if not (expected.endswith("*") and words[at].startswith(expected[:-1])):
            return False
    return True


def end_of(phrase: Words, words: Sequence[str], start: int, between: Set[str]) -> int:
    """Where a phrase that begins at this word ends, or 0; `between` may stand inside it."""
    if stands_at(phrase, words, start):
        return start + len(phrase)
    if not between:
        return 0
    at = start
    for expected in phrase:
        while not stands_at((expected,), words, at):
            if at == start or at >= len(words) or words[at] not in between:
                return 0
            at += 1
        at += 1
    return at


def by_first_word(phrases: Iterable[str]) -> dict[str, list[Words]]:
    """The phrases, split into words, by their first word."""
    found: dict[str, list[Words]] = {}
    for phrase in phrases:
        words = tuple(normalise(phrase).split())
        found.setdefault(words[0], []).append(words)
    return found
