"""How the lists of a record came, and what was not read: this decides what absence means."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Self

from cds_service.knowledge.call import Resource, Retrieval
from cds_service.knowledge.record.fhir_json import name_of

UNREADABLE, OTHER_VERSION, OTHER_PATIENT = "unreadable", "other-version", "other-patient"
_REASONS = (UNREADABLE, OTHER_VERSION, OTHER_PATIENT)
# If there are several lists, the state of the worst one counts.
_FROM_WORST = (
    Retrieval.FAILED,
    Retrieval.INCOMPLETE,
    Retrieval.MISSING,
    Retrieval.ABSENT,
    Retrieval.NEVER_GIVEN,
    Retrieval.COMPLETE,
)
_FAILURES = frozenset(state for state in Retrieval if state.is_failure)


@dataclass(frozen=True, slots=True)
class Unread:
    """A resource that was not read: its kind, its name in the record or "", and why."""

    kind: str
    name: str
    why: str
    resource: Resource


def type_of_template(template: str) -> str:
    """The FHIR resource type that a prefetch template asks for."""
    return re.split(r"[/?]", template, maxsplit=1)[0]


class Lists:
    """The state of every list of a call, and the resources that were not read.

    A list is named by its prefetch key; a FHIR resource type names all lists of that type. `types`
    has the type of each key. Kinds are the resource types.
    """

    def __init__(self, states: Mapping[str, Retrieval], types: Mapping[str, str]) -> None:
        self.states = states
        self._types = types
        self._keys: dict[str, list[str]] = {}
        for key, type_ in types.items():
            self._keys.setdefault(type_, []).append(key)
        self._worst: dict[str, Retrieval] = {}
        self._unread: dict[tuple[str, str], list[Unread]] = {}
        self.not_asked: set[str] = set()  # kinds about which the record says that nobody asked
        self._sharing: dict[str, int] = {}
        self._is_doubted = False

    def is_complete(self, name: str) -> bool:
        """Whether something that is absent from a list is really not on record."""
        if self._is_doubted:
            return not self.has_failed(name)
        if self._kind(name) in self.not_asked:
            return False
        is_whole = self.state(name) is Retrieval.COMPLETE
        return is_whole and not self.has_failed(name)

    def came(self, name: str) -> Retrieval:
        """The state of a list as far as it matters for items that are absent from it."""
        if self.has_failed(name):
            return Retrieval.FAILED
        return Retrieval.COMPLETE if self.is_complete(name) else Retrieval.MISSING

    def has_failed(self, name: str) -> bool:
        """Whether a list that should have come did not, came only in part, or cannot be read."""
        if self.state(name) in _FAILURES:
            return True
        if not self._unread:
            return False
        # A list in another version of FHIR is a list that we could not read.
        reasons = _REASONS if self._is_doubted else (OTHER_VERSION,)
        return any((self._kind(name), why) in self._unread for why in reasons)

    def state(self, name: str) -> Retrieval:
        """How a list came; for a type, how the worst of its lists came."""
        worst = self._worst.get(name)
        if worst is None:
            keys = self._keys.get(name, (name,))
            states = [self.states.get(key, Retrieval.MISSING) for key in keys]
            worst = self._worst[name] = min(states, key=_FROM_WORST.index)
        return worst

    def _kind(self, name: str) -> str:
        return self._types.get(name, name)

    def unread(self, kind: str, *reasons: str) -> list[Unread]:
        """The resources of a kind that were not read for one of these reasons, by default any."""
        if not self._unread:
            return []
        reasons = reasons or _REASONS
        return [unread for why in reasons for unread in self._unread.get((kind, why), ())]

    def count_unread(self) -> Mapping[str, int]:
        """How many resources were not read, by their kind."""
        counts: Counter[str] = Counter()
        for (kind, _), unread in self._unread.items():
            counts[kind] += len(unread)
        return counts

    def share_an_id(self, resource: Resource) -> None:
        """Count a resource that has the id of another one but other content."""
        kind = str(resource.get("resourceType"))
        self._sharing[kind] = self._sharing.get(kind, 0) + 1

    def sharing(self, kind: str) -> int:
        """How many resources of a kind have the id of another one but other content."""
        return self._sharing.get(kind, 0)

    @property
    def has_gaps(self) -> bool:
        """Whether a list failed, or a resource was not read."""
        return bool(self._unread) or not _FAILURES.isdisjoint(self.states.values())

    def doubted(self) -> Self:
        """The same record, where only what failed or could not be read is unknown.

        A list that was never sent counts as empty; a list with an unread resource counts as not
        whole.
        """
        lists = copy(self)
        lists._is_doubted = True
        return lists

    def set_aside(
        self, resource: Resource, why: str, *concepts: object, kind: str | None = None
    ) -> None:
        """Note a resource as not read, with the first name among its concepts."""
        names = map(name_of, concepts or (resource.get("code"),))
        name = next(filter(None, names), "")
        unread = Unread(kind or resource["resourceType"], name, why, resource)
        self._unread.setdefault((unread.kind, why), []).append(unread)
