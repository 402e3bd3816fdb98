"""What a text of a record says of each value set: that it is so, over, or not so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cds_service.knowledge.record.clauses import (
    Words,
    clauses_of,
    is_unspaced,
    normalise,
    stands_at,
)
from cds_service.knowledge.record.negation import DENIED, Negation, Surroundings

_LONGEST_TEXT = 300
_UNSPACED_SENTENCE = re.compile("[。；！!;\n]")


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words that stand in records for one value set, and those that forbid the match.

    `of_others`: what befalls other people counts as well, such as a bereavement.
    """

    match: tuple[str, ...]
    unless: tuple[str, ...] = ()
    of_others: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The value sets that a text affirms (`past:` before what is over), and those it denies."""

    found: frozenset[str]
    denied: frozenset[str] = frozenset()


class TextReader:
    """The phrases of many value sets at once; what a text says is remembered for a while."""

    def __init__(self, phrases: Mapping[str, Phrases], negation: Negation) -> None:
        self._surroundings = Surroundings(negation)
        self._variants = str.maketrans(dict(negation.same_characters))
        self._of_others = frozenset(set_id for set_id in phrases if phrases[set_id].of_others)
        self._forbidding = {
            set_id: [_Forbidden.of(phrase) for phrase in words.unless]
            for set_id, words in phrases.items()
        }
        self._by_first_word: dict[str, list[tuple[Words, str]]] = {}
        self._stems: dict[str, list[tuple[Words, str]]] = {}  # "weak*" is filed under "weak"
        self._unspaced: list[tuple[str, str]] = []
        for set_id, phrase in ((i, p) for i, each in phrases.items() for p in each.match):
            if is_unspaced(phrase):
                self._unspaced.append((phrase.translate(self._variants), set_id))
                continue
            words = tuple(normalise(phrase).split())
            filed = self._stems if words[0].endswith("*") else self._by_first_word
            filed.setdefault(words[0].rstrip("*"), []).append((words, set_id))
        self._longest_stem = max(map(len, self._stems), default=0)
        # Displays repeat from call to call; the bound keeps the memory of it small.
        self._read = lru_cache(maxsize=4096)(self._read_text)

    def read(self, text: str) -> Reading:
        """What a text says; only its beginning is read."""
        return self._read(text[:_LONGEST_TEXT])

    def _read_text(self, text: str) -> Reading:
        text = text if text.isascii() else text.translate(self._variants)
        clauses, turn_of = clauses_of(text), self._surroundings.turn
        said = [
            (
                set_id,
                turn_of(clauses, at, start, len(phrase), of_others=set_id in self._of_others),
            )
            for at, clause in enumerate(clauses)
            for start, word in enumerate(clause.words)
            for phrase, set_id in self._candidates(word)
            if stands_at(phrase, clause.words, start)
        ]
        if self._unspaced and not text.isascii():
            said.extend(self._unspaced_in(text))
        if not said:
            return _NOTHING_SAID
        whole = normalise(text).split()
        found, denied = set(), set()
        for set_id, turn in said:
            if turn == DENIED or any(
                forbidden.stands_in(text, whole) for forbidden in self._forbidding[set_id]
            ):
                denied.add(set_id)
            else:
                found.add(turn + set_id)
        return Reading(frozenset(found), frozenset(denied - found))

    def _candidates(self, word: str) -> Iterable[tuple[Words, str]]:
        yield from self._by_first_word.get(word, ())
        for length in range(3, min(len(word), self._longest_stem) + 1):
            yield from self._stems.get(word[:length], ())

    def _unspaced_in(self, text: str) -> Iterable[tuple[str, str]]:
        for sentence in _UNSPACED_SENTENCE.split(text):
            for phrase, set_id in self._unspaced:
                at = sentence.find(phrase)
                while at >= 0:
                    before, rest = sentence[:at], sentence[at + len(phrase) :]
                    yield set_id, self._surroundings.turn_unspaced(before, rest)
                    at = sentence.find(phrase, at + len(phrase))


_NOTHING_SAID = Reading(frozenset())


@dataclass(frozen=True, slots=True)
class _Forbidden:
    """A phrase that keeps a value set from matching, wherever it stands in the text."""

    words: Words
    unspaced: str | None

    @classmethod
    def of(cls, phrase: str) -> _Forbidden:
        unspaced = phrase.rstrip("*") if is_unspaced(phrase) else None
        return cls(tuple(normalise(phrase).split()), unspaced)

    def stands_in(self, text: str, words: Sequence[str]) -> bool:
        if self.unspaced is not None:
            return self.unspaced in text
        return any(stands_at(self.words, words, start) for start in range(len(words)))
