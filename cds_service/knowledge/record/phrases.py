"""What a text of a record says about each value set: that it is true, over, or not true."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache

from cds_service.knowledge.record.clauses import (
    Words,
    clauses_of,
    end_of,
    is_unspaced,
    normalise,
    stands_at,
)
from cds_service.knowledge.record.negation import DENIED, Negation, Surroundings

_LONGEST_TEXT = 300
_UNSPACED_SENTENCE = re.compile("[。;!\n]")
_NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words that mean one value set in records, and those that forbid the match.

    `of_others`: what happens to other people counts as well, such as a bereavement.
    """

    match: tuple[str, ...]
    unless: tuple[str, ...] = ()
    of_others: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """The value sets that a text affirms (with `past:` if over), and those that it denies.

    `barred` are those whose phrase is there only together with one that gives it another meaning.
    """

    found: frozenset[str]
    denied: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()


class TextReader:
    """The phrases of many value sets at once; the reading of a text is kept for a while."""

    def __init__(self, phrases: Mapping[str, Phrases], negation: Negation) -> None:
        self._surroundings = Surroundings(negation)
        self._variants = str.maketrans(dict(negation.same_characters))
        self._signs = negation.signs
        self._sign = re.compile(
            rf"(?<!\w)(?:{'|'.join(map(re.escape, self._signs))})(?![\w-])", re.IGNORECASE
        )
        degrees = [degree for degree in negation.degrees if not is_unspaced(degree)]
        self._degrees = frozenset(map(normalise, degrees))
        unspaced = "|".join(degree for degree in negation.degrees if is_unspaced(degree))
        self._unspaced_degrees = re.compile(unspaced or _NEVER)
        self._of_others = frozenset(set_id for set_id in phrases if phrases[set_id].of_others)
        self._forbidding = {
            set_id: [_Forbidden.of(phrase) for phrase in words.unless]
            for set_id, words in phrases.items()
        }
        self._by_first_word: dict[str, list[tuple[Words, str]]] = {}
        self._stems: dict[str, list[tuple[Words, str]]] = {}  # "weak*" is filed under "weak"
        self._unspaced: dict[str, list[tuple[str, str]]] = {}  # by first character
        pairs = ((set_id, phrase) for set_id in phrases for phrase in phrases[set_id].match)
        for set_id, phrase in pairs:
            if is_unspaced(phrase):
                read = phrase.translate(self._variants)
                self._unspaced.setdefault(read[0], []).append((read, set_id))
                continue
            words = tuple(normalise(phrase).split())
            filed = self._stems if words[0].endswith("*") else self._by_first_word
            filed.setdefault(words[0].rstrip("*"), []).append((words, set_id))
        self._longest_stem = max(map(len, self._stems), default=0)
        self._see(None)

    def seeing(self, set_ids: frozenset[str] | None) -> TextReader:
        """The same phrases, but only those of these value sets are found; of all with None."""
        narrowed = copy(self)
        narrowed._see(set_ids)
        return narrowed

    def _see(self, set_ids: frozenset[str] | None) -> None:
        self._own = self._forbidding.keys() if set_ids is None else set_ids
        # Displays repeat from call to call; the limit keeps memory small.
        self._read = lru_cache(maxsize=1024)(self._read_text)

    def read(self, text: str) -> Reading:
        """What a text says; only its beginning is read."""
        return self._read(text[:_LONGEST_TEXT])

    def _read_text(self, text: str) -> Reading:
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text).translate(self._variants)
        if self._signs:
            text = self._sign.sub(lambda sign: self._signs[sign[0].lower()], text)
        hits = list(self._spaced_in(text))
        if self._unspaced and not text.isascii():
            hits.extend(self._unspaced_in(text))
        if not hits:
            return _NOTHING_SAID
        whole = normalise(text).split()
        found, denied, barred = set(), set(), set()
        for set_id, turn in hits:
            if any(forbidden.stands_in(text, whole) for forbidden in self._forbidding[set_id]):
                barred.add(set_id)
            elif turn == DENIED:
                denied.add(set_id)
            else:
                found.add(turn + set_id)
        return Reading(frozenset(found), frozenset(denied - found), frozenset(barred))

    def _candidates(self, word: str) -> Iterable[tuple[Words, str]]:
        yield from self._by_first_word.get(word, ())
        for length in range(3, min(len(word), self._longest_stem) + 1):
            yield from self._stems.get(word[:length], ())

    def _spaced_in(self, text: str) -> Iterable[tuple[str, str]]:
        """The sets whose phrases are in a text, and what the words around each phrase say."""
        clauses = clauses_of(text)
        for at, clause in enumerate(clauses):
            degrees = self._degrees.intersection(clause.words)
            hits = [
                (start, end, set_id)
                for start, word in enumerate(clause.words)
                for phrase, set_id in self._candidates(word)
                if set_id in self._own and (end := end_of(phrase, clause.words, start, degrees))
            ]
            for start, end, set_id in _widened(hits):
                of_others = set_id in self._of_others
                turn = self._surroundings.turn(clauses, at, start, end, of_others=of_others)
                yield set_id, turn

    def _unspaced_in(self, text: str) -> Iterable[tuple[str, str]]:
        for sentence in _UNSPACED_SENTENCE.split(text):
            hits = list(self._unspaced_hits(sentence, range(len(sentence))))
            marked = self._unspaced_degrees.sub(lambda degree: "\0" * len(degree[0]), sentence)
            if marked != sentence:
                places = [at for at, character in enumerate(marked) if character != "\0"]
                hits.extend(self._unspaced_hits("".join(sentence[at] for at in places), places))
            for start, end, set_id in _widened(hits):
                yield set_id, self._surroundings.turn_unspaced(sentence[:start], sentence[end:])

    def _unspaced_hits(self, text: str, places: Sequence[int]) -> Iterable[tuple[int, int, str]]:
        """The phrases in a text, and where they begin and end in the sentence it was taken from."""
        for at, character in enumerate(text):
            for phrase, set_id in self._unspaced.get(character, ()):
                if set_id in self._own and text.startswith(phrase, at):
                    yield places[at], places[at + len(phrase) - 1] + 1, set_id


def _widened(hits: list[tuple[int, int, str]]) -> Iterable[tuple[int, int, str]]:
    """Each hit with the span of the longest phrase around it: "asthma" in "acute asthma".

    What reverses the longer phrase also reverses the shorter one.
    """
    spans = sorted({(start, end) for start, end, _ in hits}, key=lambda span: span[0] - span[1])
    for start, end, set_id in hits:
        widest = next(span for span in spans if span[0] <= start and end <= span[1])
        yield *widest, set_id


_NOTHING_SAID = Reading(frozenset())


@dataclass(frozen=True, slots=True)
class _Forbidden:
    """A phrase that prevents the match of a value set, wherever it is in the text."""

    words: Words
    unspaced: str | None

    @classmethod
    def of(cls, phrase: str) -> _Forbidden:
        unspaced = phrase.rstrip("*") if is_unspaced(phrase) else None
        return cls(tuple(normalise(phrase).split()), unspaced)

    def stands_in(self, text: str, words: Sequence[str]) -> bool:
        if self.unspaced is not None:
            return self.unspaced in text
        first = self.words[0]
        if not first.endswith("*") and first not in words:
            return False  # nearly always
        return any(stands_at(self.words, words, start) for start in range(len(words)))
