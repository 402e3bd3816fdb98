"""Conditions and texts as FHIR shows them: FHIRPath over facts, for people to read."""

from __future__ import annotations

from cds_service.fhir_export.metadata import Resource
from cds_service.knowledge import CDSService
from cds_service.knowledge.content.words import Placeholder, Text
from cds_service.knowledge.expressions.expressions import Expression

USAGE = (
    "For people to read, not to be run. Conditions are FHIRPath over facts: %name is a fact that"
    " the service reads from the record, not a resource; an absent value is unknown, which is"
    " never normal. The Library of the service lists the facts."
)


def condition(expression: Expression, name: str = "") -> Resource:
    """An applicability condition; what it tests stands in the text."""
    named = {"description": name} if name else {}
    text = " ".join(expression.text.split())
    return {
        "kind": "applicability",
        "expression": {**named, "language": "text/fhirpath", "expression": text},
    }


def text_of(service: CDSService, id_: str, part: str) -> str:
    """A text of the default language, its placeholders as written; "" if there is none."""
    text = service.words[service.default_language].texts.get((id_, part))
    return _written(text) if text else ""


def _written(text: Text) -> str:
    return "".join(
        f"{{{{ {piece.fact}.{piece.member} }}}}" if isinstance(piece, Placeholder) else piece
        for piece in text.pieces
    ).strip()
