"""Finds what no text may say: a dose, or an order to change a medicine."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice

from cds_service.knowledge.content.service import Service
from cds_service.knowledge.content.words import Placeholder, Text
from cds_service.knowledge.facts.kinds import kind_of
from cds_service.knowledge.facts.medication import MEDICATION
from cds_service.knowledge.loading.guard_files import Guards, Orders
from cds_service.knowledge.record.clauses import (
    by_first_word,
    clauses_of,
    is_unspaced,
    normalise,
    stands_at,
)
from cds_service.knowledge.record.phrases import Phrases

_REACH, _FAR = 6, 12  # words, or characters without blanks, in which the medicine follows its verb
_DECIMAL = re.compile(r"(?<=\d)[.,](?=\d)")  # no end of a clause
_MARKUP = re.compile(r"[*_`]")
_UNSPACED_BREAK = re.compile(r"[。；，、：！？;:!?,.()（）|\n]|\s-\s")
_NUMBER, _NAME = "0", "0medicine"  # for what a card puts in place of a placeholder


class PrescriptionReader:
    """Reads texts of a service for doses and orders; `phrases` are the names in records."""

    def __init__(self, guards: Guards, service: Service, phrases: Mapping[str, Phrases]) -> None:
        self._service = service
        self._orders = guards.orders
        self._unspaced_verbs = {
            language: sorted(filter(is_unspaced, orders.verbs), key=len, reverse=True)
            for language, orders in guards.orders.items()
        }
        self._spaced_verbs = {
            language: frozenset(orders.verbs).difference(self._unspaced_verbs[language])
            for language, orders in guards.orders.items()
        }
        units = "|".join(map(re.escape, sorted(guards.doses.units, key=len, reverse=True)))
        others = "|".join(map(re.escape, guards.doses.concentrations)) or "(?!)"
        self._dose = re.compile(
            rf"(?<![a-z0-9.,])\d[\d.,]*\s*-?\s*(?:{units})(?![a-z0-9_])(?!\s*(?:{others})(?![a-z0-9_]))",
            re.IGNORECASE,
        )
        # Several facts read the same medicines: each name once.
        self._medicines = tuple(dict.fromkeys((*guards.medicines, *_names(service, phrases))))

    @cached_property
    def _spaced(self) -> Mapping[str, Sequence[tuple[str, ...]]]:
        return by_first_word(name for name in (_NAME, *self._medicines) if normalise(name))

    @cached_property
    def _stems(self) -> Sequence[tuple[str, ...]]:
        return [name for word in self._spaced if word.endswith("*") for name in self._spaced[word]]

    @cached_property
    def _unspaced(self) -> Sequence[str]:
        return [_NAME, *filter(is_unspaced, self._medicines)]

    def found_in(self, text: Text, language: str) -> Iterable[str]:
        """Each dose and each order in a text of the words, as it is written there."""
        for line in text.lines:
            for said in self.found("".join(map(self._as_read, line)), language):
                yield said.replace(_NAME, "…")

    def found(self, said: str, language: str) -> Iterable[str]:
        """Each dose and each order in what a card says."""
        plain = unicodedata.normalize("NFKC", _MARKUP.sub("", said))
        for dose in self._dose.finditer(plain):
            yield dose[0]
        orders = self._orders.get(language)
        if orders is not None:
            if spaced := self._spaced_verbs[language]:
                yield from self._spaced_orders(plain, orders, spaced)
            if unspaced := self._unspaced_verbs[language]:
                yield from self._unspaced_orders(plain, orders, unspaced)

    def _as_read(self, piece: str | Placeholder) -> str:
        if isinstance(piece, str):
            return piece
        definition = self._service.facts.get(piece.fact)
        is_name = definition and kind_of(definition) is MEDICATION and piece.member == "names"
        return f" {_NAME} " if is_name else _NUMBER

    def _spaced_orders(self, said: str, orders: Orders, verbs: frozenset[str]) -> Iterable[str]:
        if verbs.isdisjoint(normalise(said).split()):
            return  # nearly always
        for clause in clauses_of(_DECIMAL.sub(" ", said)):
            words = clause.words
            for at, word in enumerate(words):
                if word not in verbs or (at and words[at - 1] not in orders.leads):
                    continue
                after = words[at + 1 :]
                end = self._end_of_medicine(after)
                if end and not set(after).intersection(orders.turns):
                    yield " ".join((word, *after[:end]))

    def _unspaced_orders(self, said: str, orders: Orders, verbs: Sequence[str]) -> Iterable[str]:
        for clause in map(str.strip, _UNSPACED_BREAK.split(said)):
            found = (clause.partition(verb) for verb in verbs if verb in clause)
            orders_found = (
                f"{verb}{after[:_FAR]}".rstrip()
                for before, verb, after in found
                if (not before or before.rstrip().endswith(orders.leads))
                and not any(turn in after for turn in orders.turns)
                and self._is_medicine_in(after[:_FAR])
            )
            yield from islice(orders_found, 1)

    def _end_of_medicine(self, words: Sequence[str]) -> int | None:
        for start in range(min(_REACH, len(words))):
            for name in (*self._spaced.get(words[start], ()), *self._stems):
                if stands_at(name, words, start):
                    return start + len(name)
        return None

    def _is_medicine_in(self, text: str) -> bool:
        return any(name in text for name in self._unspaced) or bool(
            self._end_of_medicine(normalise(text).split())
        )


def _names(service: Service, phrases: Mapping[str, Phrases]) -> Iterable[str]:
    """The names of medicines: the words of records, and the titles of classes and drugs."""
    for definition in service.facts.values():
        if kind_of(definition) is MEDICATION:
            for _, value_set in kind_of(definition).value_sets(definition):
                yield from phrases[value_set].match if value_set in phrases else ()
    for words in service.words.values():
        for id_ in (*service.classes, *service.drugs):
            if words.has(id_, "title"):
                yield words.plain(id_, "title")
