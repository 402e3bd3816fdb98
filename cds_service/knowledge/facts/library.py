"""What all services share in cards/: value sets, quantities, references, the words of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.knowledge.call import Source
from cds_service.knowledge.record.quantities import Quantity
from cds_service.knowledge.record.terminology import Terminology


@dataclass(frozen=True)
class Library:
    """What every service may refer to."""

    value_sets: Mapping[str, str]  # id to title
    terminology: Terminology
    quantities: Mapping[str, Quantity]
    references: Mapping[str, Source]
    codes: Mapping[str, Mapping[str, tuple[str, ...]]]  # value set, system: codes as written
