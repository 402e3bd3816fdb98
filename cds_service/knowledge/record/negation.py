"""What reverses a phrase, before or after it: denied, over, somebody else's, not yet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cds_service.knowledge.record.clauses import (
    ByFirstWord,
    Clause,
    Words,
    by_first_word,
    following,
    heading,
    is_unspaced,
    stands_at,
)

SO, PAST, DENIED = "", "past:", "denied"
_UNSPACED_PART = re.compile("[,:()、]")
# Words that may stand between a phrase and its denial: "DVT of left leg excluded".
_GAP = 3


@dataclass(frozen=True, slots=True)
class Negation:
    """Phrases around a match that reverse it (record-text.yaml says what each list is for)."""

    before: tuple[str, ...]
    window: int
    others: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    past_after: tuple[str, ...] = ()
    tails: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    contrast: tuple[str, ...] = ()
    now: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    fillers: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    degrees: tuple[str, ...] = ()
    same_characters: Mapping[str, str] = field(default_factory=dict)
    signs: Mapping[str, str] = field(default_factory=dict)


class Surroundings:
    """The lists of a Negation, and whether they reverse a phrase."""

    def __init__(self, negation: Negation) -> None:
        self._window = negation.window
        self._lists = _Lists.of(negation)

    def turn(
        self, clauses: Sequence[Clause], at: int, start: int, end: int, *, of_others: bool
    ) -> str:
        """Whether a phrase in the clause `at` is DENIED, over (PAST) or simply there (SO).

        `of_others`: what happened to somebody else counts as well.
        """
        lists, words = self._lists, clauses[at].words
        before, rest = words[:start], words[end:]
        first = heading(clauses, at)
        head = first.words if first and not self._turns_now(clauses, at, before) else ()
        behind = following(clauses, at)
        if (
            self._reaches(lists.before, before, lists.contrast)
            or self._speaks_of_another(before)
            or lists.is_only(lists.headings, head)
            or self._closes(lists.after, rest, behind, _GAP)
            or self._closes(lists.answers, rest, behind, 1)
            or (not of_others and self._is_of_another(rest, behind))
            or (not of_others and self._begins_with_another(before))
        ):
            return DENIED
        if (
            self._reaches(lists.past, before, lists.contrast | lists.now)
            or lists.is_only(lists.past, head)
            or (
                lists.now.isdisjoint(behind or ())  # "resolved in 2019, now again"
                and self._closes(lists.past_after, rest, behind, _GAP)
            )
        ):
            return PAST
        return SO

    def _reaches(self, phrases: ByFirstWord, before: Words, breaks: frozenset[str]) -> bool:
        """Whether one of the phrases is in the window before a word, and nothing ends its reach."""
        lists, window = self._lists, before[-self._window :]
        for at in range(len(window) - 1, -1, -1):
            is_denied = at > 0 and window[at - 1] in lists.undecided
            if window[at] in breaks and not is_denied:  # "not reporting" is not a contrast
                return False
            if any(stands_at(phrase, window, at) for phrase in phrases.get(window[at], ())):
                # "zum Ausschluss" is still a question; "no family history" is denied twice.
                doubt = at > 0 and window[at - 1] in lists.undecided - phrases.keys()
                if not doubt:
                    return True
        return False

    def _speaks_of_another(self, before: Words) -> bool:
        """Whether the clause names somebody else who has it: "her mother had", not "mother says".

        Nor who was told of it: "told her husband of".
        """
        lists, window = self._lists, before[-self._window :]
        for at in range(len(window) - 1, -1, -1):
            if window[at] in lists.contrast | lists.tells:
                return False
            if any(stands_at(phrase, window, at) for phrase in lists.others.get(window[at], ())):
                earlier = [word for word in window[:at] if word not in lists.fillers]
                was_told = not lists.tells.isdisjoint(earlier[-2:])
                is_agent = bool(earlier) and earlier[-1] in lists.undecided  # "brought by mother"
                if not was_told and not is_agent:
                    return True
        return False

    def _turns_now(self, clauses: Sequence[Clause], at: int, before: Words) -> bool:
        """Whether the reach of a heading has ended: "FH: a stroke, but now a headache"."""
        sentence = clauses[at].sentence
        between = {
            word for clause in clauses[:at] if clause.sentence == sentence for word in clause.words
        }
        return not (self._lists.contrast | self._lists.now).isdisjoint(between.union(before))

    def _closes(self, phrases: ByFirstWord, rest: Words, behind: Words | None, gap: int) -> bool:
        """Whether the words after a phrase deny it: "... excluded by MRI", "...: no"."""
        lists = self._lists
        if behind and len(rest) <= gap and lists.joins.isdisjoint(rest):
            start = next((at for at, word in enumerate(behind) if word not in lists.fillers), 0)
            if self._ends(phrases, behind[start:]):
                return True
        for at, word in enumerate(rest[: gap + 1]):
            if self._ends(phrases, rest[at:]):
                return True
            if word in lists.joins or word in lists.undecided:
                return False
        return False

    def _ends(self, phrases: ByFirstWord, words: Words) -> bool:
        """Whether the words are only one of the phrases, or also say how or when."""
        return bool(words) and any(
            stands_at(phrase, words, 0) and self._may_follow(words[len(phrase) :])
            for phrase in phrases.get(words[0], ())
        )

    def _may_follow(self, words: Words) -> bool:
        """Whether words behind a denial leave it as it is: "by MRI", "resolved 2010"."""
        return not words or words[0] in self._lists.tails or words[0].isdigit()

    def _is_of_another(self, rest: Words, behind: Words | None) -> bool:
        """Whether it happened to somebody else: "of his son", "(mother)"."""
        lists = self._lists
        if behind and all(word in lists.people or word in lists.fillers for word in behind):
            return any(word in lists.people for word in behind)
        for at, word in enumerate(rest[: _GAP + 1]):
            if word in lists.joins or word in lists.tells or (at and word in lists.agents):
                return False  # "reported by his wife": it is the patient's
            if word in lists.links:
                whose = [word for word in rest[at + 1 : at + 5] if word not in lists.fillers]
                return bool(whose) and whose[0] in lists.people
        return False

    def _begins_with_another(self, before: Words) -> bool:
        """Whether somebody else is who the clause speaks of: "her friend is", "friend wants to"."""
        lists = self._lists
        who = [word for word in before if word not in lists.fillers]
        return bool(who) and who[0] in lists.subjects and lists.acts.issuperset(who[1:])

    def turn_unspaced(self, before: str, rest: str) -> str:
        """The same for a phrase in a script without blanks, between two parts of a sentence."""
        lists, window = self._lists, self._window
        parts = _UNSPACED_PART.split(before)
        near = parts[-1][-window:]
        # "否认胸痛、自杀": a denial reaches over an enumeration, a heading over its sentence.
        first = before.rpartition(",")[2].partition("、")[0]
        head = parts[0].strip() if len(parts) > 1 and before[len(parts[0])] in ":()" else ""
        broken = any(word in before for word in lists.contrast_unspaced)
        first = "" if first == before.rpartition(",")[2] else first
        behind = [part.strip() for part in _UNSPACED_PART.split(rest)]
        ends = [behind[0]] + ([behind[1]] if len(behind) > 1 and len(behind[0]) <= _GAP else [])
        if not broken and (
            any(word in near or word in first for word in lists.before_unspaced)
            or head in lists.before_unspaced
        ):
            return DENIED
        doubted = any(word in end for end in ends for word in lists.undecided_unspaced)
        if not doubted and any(end.endswith(lists.after_unspaced) for end in ends):
            return DENIED
        in_brackets = behind[1] if len(behind) > 1 and not behind[0] else ""
        if (
            any(word in near or word == head for word in lists.past_unspaced)
            or behind[0].startswith(lists.past_after_unspaced)
            or in_brackets in lists.past_after_unspaced
        ):
            return PAST
        return SO


@dataclass(frozen=True, slots=True)
class _Lists:
    """The lists of a Negation, prepared: phrases by first word; scripts without blanks apart."""

    before: ByFirstWord
    others: ByFirstWord
    headings: ByFirstWord
    past: ByFirstWord
    answers: ByFirstWord
    after: ByFirstWord
    past_after: ByFirstWord
    tails: frozenset[str]
    undecided: frozenset[str]
    contrast: frozenset[str]
    now: frozenset[str]
    joins: frozenset[str]
    fillers: frozenset[str]
    subjects: frozenset[str]
    acts: frozenset[str]
    links: frozenset[str]
    people: frozenset[str]
    tells: frozenset[str]
    agents: frozenset[str]
    before_unspaced: tuple[str, ...]
    past_unspaced: tuple[str, ...]
    after_unspaced: tuple[str, ...]
    past_after_unspaced: tuple[str, ...]
    undecided_unspaced: tuple[str, ...]
    contrast_unspaced: tuple[str, ...]

    @classmethod
    def of(cls, negation: Negation) -> _Lists:
        return cls(
            before=by_first_word(negation.before),
            others=by_first_word(negation.others),
            headings=by_first_word((*negation.before, *negation.others)),
            past=by_first_word(negation.past),
            answers=by_first_word(negation.answers),
            after=by_first_word(negation.after),
            past_after=by_first_word(negation.past_after),
            tails=frozenset(negation.tails),
            undecided=frozenset(negation.undecided),
            contrast=frozenset(negation.contrast),
            now=frozenset(negation.now),
            joins=frozenset(negation.joins),
            fillers=frozenset(negation.fillers),
            subjects=frozenset(negation.subjects),
            acts=frozenset(negation.acts),
            links=frozenset(negation.links),
            people=frozenset(negation.people),
            tells=frozenset(negation.tells),
            agents=frozenset(negation.agents),
            before_unspaced=_unspaced((*negation.before, *negation.others)),
            past_unspaced=_unspaced(negation.past),
            after_unspaced=_unspaced((*negation.after, *negation.answers)),
            past_after_unspaced=_unspaced(negation.past_after),
            undecided_unspaced=_unspaced(negation.undecided),
            contrast_unspaced=_unspaced(negation.contrast),
        )

    def is_only(self, phrases: ByFirstWord, words: Words) -> bool:
        """Whether the words consist only of such phrases: the heading "Family history of"."""
        at = 0
        while at < len(words):
            lengths = [
                len(phrase) for phrase in phrases.get(words[at], ()) if stands_at(phrase, words, at)
            ]
            if not lengths and (at == 0 or words[at] not in self.fillers):
                return False
            at += max(lengths, default=1)
        return bool(words)


def _unspaced(phrases: Iterable[str]) -> tuple[str, ...]:
    return tuple(phrase for phrase in phrases if is_unspaced(phrase))
