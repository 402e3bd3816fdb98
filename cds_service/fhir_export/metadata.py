"""What every artifact says of itself: the metadata of a CRMI shareable artifact.

Source: HL7 Canonical Resource Management Infrastructure, <http://hl7.org/fhir/uv/crmi/>.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cds_service.knowledge import CDSService
from cds_service.knowledge.content.artifacts import Governance
from cds_service.knowledge.facts.library import Reference

Resource = dict[str, Any]
_PROFILE = "http://hl7.org/fhir/uv/crmi/StructureDefinition/crmi-shareable"
_STATUSES = {"draft": "draft", "active": "active", "retired": "retired"}
_LONGEST_ID = 64
_NO_ID = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Publication:
    """Under which addresses, and by whom, the artifacts are published."""

    canonical: str
    publisher: str

    def url(self, type_: str, id_: str) -> str:
        """The canonical address of an artifact."""
        return f"{self.canonical}/{type_}/{id_}"

    def head(
        self, type_: str, id_: str, title: str, *, status: str, version: str, date: str
    ) -> Resource:
        """The members that stand first in every artifact."""
        return {
            "resourceType": type_,
            "id": id_,
            "meta": {"profile": [f"{_PROFILE}{type_.lower()}"]},
            "url": self.url(type_, id_),
            "version": version,
            "name": computable(id_),
            "title": title,
            "status": _STATUSES[status],
            "experimental": status != "active",
            "date": date,
            "publisher": self.publisher,
        }

    def governed(self, type_: str, id_: str, item: Governance, service: CDSService) -> Resource:
        """The head of an artifact that somebody answers for, with its review and its sources."""
        head = self.head(
            type_,
            id_,
            item.title,
            status=item.status,
            version=item.version,
            date=item.last_review_date,
        )
        # What nobody has signed was not reviewed in the sense of FHIR.
        review: Resource = {}
        if item.reviewer:
            review = {
                "lastReviewDate": item.last_review_date,
                "reviewer": [{"name": item.reviewer}],
            }
        cited = [citation(key, service.sources[key]) for key in item.sources]
        return head | review | {"relatedArtifact": cited}


def artifact_id(*parts: str) -> str:
    """An id that FHIR allows: at most 64 letters, figures, points and hyphens."""
    whole = _NO_ID.sub("-", "-".join(parts))
    if len(whole) <= _LONGEST_ID:
        return whole
    return f"{whole[: _LONGEST_ID - 9]}-{sha256(whole.encode()).hexdigest()[:8]}"


def computable(id_: str) -> str:
    """A name for programs: a capital first, then letters, figures and underscores."""
    words = re.split(r"[^A-Za-z0-9]+", id_)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return name if name[:1].isalpha() else f"A{name}"


def citation(key: str, reference: Reference) -> Resource:
    """A guideline, label or paper as a RelatedArtifact."""
    link = {"url": reference.url} if reference.url else {}
    return {"type": "citation", "label": key, "display": reference.label, **link}


def present(members: Mapping[str, Any]) -> Resource:
    """The members that have a value: FHIR JSON has no empty ones."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {}, ())}


def latest(items: Iterable[Governance]) -> str:
    """The day of the last review of any of them."""
    return max((item.last_review_date for item in items), default="")
