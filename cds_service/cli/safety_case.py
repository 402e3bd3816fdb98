"""The hazard log, checked against rules and tests, and the safety case as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from marshmallow import fields, validate
from marshmallow.validate import OneOf

from cds_service.knowledge.content.service import Service
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.loading.strict_schema import StrictSchema, Texts

_SEVERITY = ("minor", "significant", "considerable", "major", "catastrophic")
_LIKELIHOOD = ("very low", "low", "medium", "high", "very high")


@dataclass(frozen=True, slots=True)
class Hazard:
    """What could harm a patient, what prevents it, and the risk that remains."""

    id: str
    title: str
    effect: str
    severity: str
    likelihood: str
    mitigations: tuple[str, ...]
    rules: tuple[str, ...]
    tests: tuple[str, ...]
    residual: str


class HazardSchema(StrictSchema):
    """hazards.yaml holds a list of these."""

    built_as = Hazard
    id = fields.String(required=True)
    title = fields.String(required=True)
    effect = fields.String(required=True)
    severity = fields.String(required=True, validate=OneOf(_SEVERITY))
    likelihood = fields.String(required=True, validate=OneOf(_LIKELIHOOD))
    mitigations = Texts(required=True, validate=validate.Length(min=1))
    rules = Texts(required=True, validate=validate.Length(min=1))
    tests = Texts(required=True, validate=validate.Length(min=1))
    residual = fields.String(required=True)


def load_hazards(path: Path, service: Service, problems: Problems) -> tuple[Hazard, ...]:
    """The hazards of `cards/<service>/safety/`. A rule that does not exist is a problem.

    So is a test that does not exist, but only in a checkout: an installed service has no tests.
    """
    checkout = path.absolute().parents[3]
    has_tests = (checkout / "tests").is_dir()
    entries = problems.read(path)
    schema, rules = HazardSchema(), {rule.id for rule in service.rules}
    hazards = []
    for entry in entries if isinstance(entries, list) else ():
        hazard = problems.load(schema, path, entry, str(entry.get("id", "?")))
        if hazard is None:
            continue
        hazards.append(hazard)
        for rule in hazard.rules:
            if rule not in rules:
                problems.add(path, hazard.id, f"there is no rule {rule}")
        for test in hazard.tests:
            if has_tests and not (checkout / test).is_file():
                problems.add(path, hazard.id, f"there is no test {test}")
    return tuple(hazards)


def write_safety_case(service: Service, hazards: Sequence[Hazard], questions: str) -> str:
    """The page: hazards, what prevents them, open questions, and that nobody has signed it."""
    return "\n".join([*_opening(service), *_table(hazards), *_details(service, hazards), questions])


def _opening(service: Service) -> Iterable[str]:
    signed = [item for item in service.governed.values() if item.status == "active"]
    yield "# Safety case"
    yield ""
    yield "Written by `cds-service safety-case` from `hazards.yaml` and `cards/`; do not edit it."
    yield ""
    yield (
        f"Knowledge {service.version}: {len(service.governed)} governed items, "
        f"{len(signed)} signed by a clinician. **Nobody has signed this safety case.** "
        "Severity and likelihood are the authors' first estimates. It must not be used in care "
        "before a named clinician and a clinical safety officer have signed each rule and "
        "accepted each residual risk."
    )
    yield ""


def _table(hazards: Sequence[Hazard]) -> Iterable[str]:
    yield "| id | hazard | severity | likelihood | rules | tests |"
    yield "|---|---|---|---|---|---|"
    for hazard in hazards:
        yield (
            f"| {hazard.id} | {hazard.title} | {hazard.severity} | {hazard.likelihood} | "
            f"{len(hazard.rules)} | {len(hazard.tests)} |"
        )
    yield ""


def _details(service: Service, hazards: Sequence[Hazard]) -> Iterable[str]:
    titles = {rule.id: rule.governance.title for rule in service.rules}
    for hazard in hazards:
        yield f"## {hazard.id} {hazard.title}"
        yield ""
        yield f"**Effect:** {hazard.effect}"
        yield ""
        yield from (f"- {mitigation}" for mitigation in hazard.mitigations)
        yield ""
        yield "**Rules:** " + "; ".join(f"{rule} {titles[rule]}" for rule in hazard.rules)
        yield ""
        yield "**Tests:** " + ", ".join(f"`{test}`" for test in hazard.tests)
        yield ""
        yield f"**Residual risk:** {hazard.residual}"
        yield ""
