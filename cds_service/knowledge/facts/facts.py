"""facts.yaml at work: each named fact of a patient, read when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cds_service.knowledge.facts.kind import Reading
from cds_service.knowledge.facts.kinds import Definition, kind_of
from cds_service.knowledge.record.record import PatientRecord


class Facts(Reading):
    """The facts of one patient by name, each read when it is first asked for.

    `absent` are facts about which the record is known to hold nothing; `highest` chooses among
    different values measured at one time, `certain` leaves out the uncertain ones. `conflicts` says
    after use whether there were such values, so that the evaluator looks at every reading.
    """

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        record: PatientRecord,
        *,
        absent: Mapping[str, Any] = MappingProxyType({}),
        highest: bool = False,
        certain: bool = False,
    ) -> None:
        super().__init__(record, absent, highest=highest, certain=certain)
        self._definitions = definitions
        self.conflicts = self._is_gap = False

    @property
    def has_gaps(self) -> bool:
        """Whether a list failed, or a resource or a fact that was asked for could not be read."""
        return self._is_gap or self.record.has_gaps

    @property
    def unread(self) -> Mapping[str, int]:
        """How many resources were not read, by their type."""
        return self.record.count_unread()

    def doubted(self) -> Facts:
        """The facts of the same record where only what failed or was not read is unknown."""
        return Facts(self._definitions, self.record.doubted())

    def __missing__(self, name: str) -> Any:
        definition = self._definitions[name]
        fact = self[name] = kind_of(definition).read(definition, self)
        self.conflicts = self.conflicts or fact.has_rival()
        self._is_gap = self._is_gap or fact.is_gap()
        return fact
