"""PlanDefinitions: one for each rule, cause and suggestion, and one for the service as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.fhir_export.activities import request_id
from cds_service.fhir_export.conditions import USAGE, condition, text_of
from cds_service.fhir_export.metadata import (
    Publication,
    Resource,
    artifact_id,
    latest,
    present,
)
from cds_service.knowledge import CDSService
from cds_service.knowledge.content.artifacts import Cause, DrugClass, Reason, Rule
from cds_service.knowledge.expressions.expressions import Expression

_TYPES = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
_RULE = {"coding": [{"system": _TYPES, "code": "eca-rule"}]}


def rule_plans(service: CDSService, publication: Publication) -> Iterator[Resource]:
    """A PlanDefinition for each rule: an action for each level, worst first."""
    for rule in service.rules:
        head = publication.governed(
            "PlanDefinition", _id(service, rule.id), rule.governance, service
        )
        actions = [_level(service, rule, level, when) for level, when in rule.levels.items()]
        withheld = [
            present(
                {
                    "title": f"Withholds {', '.join(withhold.items)}",
                    "description": text_of(service, rule.id, withhold.because),
                    "condition": [condition(withhold.when)] if withhold.when else [],
                }
            )
            for withhold in rule.withhold
        ]
        yield _plan(service, publication, head, rule.governance.title, actions + withheld)


def cause_plans(service: CDSService, publication: Publication) -> Iterator[Resource]:
    """A PlanDefinition for each cause: what it requires, what excludes it, what earns points."""
    for cause in service.causes:
        head = publication.governed(
            "PlanDefinition", _id(service, cause.id), cause.governance, service
        )
        required = [_reason(service, cause, each, "Required", "not") for each in cause.requires]
        excluded = [_reason(service, cause, each, "Excluded by", "not") for each in cause.excludes]
        earned = [
            _reason(
                service, cause, reason, f"{each.each} points, at most {each.at_most}", "because"
            )
            for each in cause.points
            for reason in each.reasons
        ]
        text = text_of(service, cause.id, "mechanism") or cause.governance.title
        yield _plan(service, publication, head, text, required + excluded + earned)


def suggestion_plans(service: CDSService, publication: Publication) -> Iterator[Resource]:
    """A PlanDefinition for each suggestion: an action for each request that it may make."""
    for suggestion in service.suggestions:
        item = suggestion.governance
        head = publication.governed("PlanDefinition", _id(service, item.id), item, service)
        actions = []
        for request in suggestion.requests:
            url = publication.url("ActivityDefinition", request_id(service, suggestion, request))
            part = f"request {request.id}"
            actions.append(
                {
                    "title": text_of(service, item.id, part) or request.id,
                    "condition": [
                        condition(when)
                        for when in dict.fromkeys((suggestion.when, request.when))
                        if when.facts
                    ],
                    "definitionCanonical": f"{url}|{item.version}",
                }
            )
        label = text_of(service, item.id, "label") or item.title
        yield _plan(service, publication, head, label, [present(each) for each in actions])


def service_plan(service: CDSService, publication: Publication) -> Resource:
    """The PlanDefinition of the service: its gate, and an action for each of its parts."""
    head = publication.head(
        "PlanDefinition",
        artifact_id(service.id),
        service.title,
        status="draft",
        version=service.version,
        date=latest(service.governed.values()),
    )
    gate: list[tuple[str, Expression]] = [
        ("Cards are possible", service.gate.when),
        ("A rule may open the gate as well", service.gate.opened_by_rules),
        ("It cannot be checked whether cards are possible", service.gate.unchecked),
    ]
    actions = [{"title": title, "condition": [condition(when)]} for title, when in gate]
    actions += [_part(service, publication, "PlanDefinition", rule.id) for rule in service.rules]
    actions += [_part(service, publication, "PlanDefinition", cause.id) for cause in service.causes]
    for suggestion in service.suggestions:
        actions.append(_part(service, publication, "PlanDefinition", suggestion.governance.id))
    for measure in service.measures:
        actions.append(_part(service, publication, "ActivityDefinition", measure))
    actions += [_class(service, each) for each in service.classes.values()]
    return _plan(service, publication, head, service.description, actions)


def _level(service: CDSService, rule: Rule, level: str, when: Expression) -> Resource:
    return present(
        {
            "title": level,
            "textEquivalent": text_of(service, rule.id, level),
            "condition": [condition(when, f"{rule.id} applies at the level {level}")],
        }
    )


def _reason(service: CDSService, cause: Cause, reason: Reason, title: str, part: str) -> Resource:
    return present(
        {
            "title": f"{title}: {reason.because}",
            "textEquivalent": text_of(service, cause.id, f"{part} {reason.because}"),
            "condition": [condition(reason.when)],
        }
    )


def _part(service: CDSService, publication: Publication, type_: str, id_: str) -> Resource:
    url = publication.url(type_, _id(service, id_))
    item = service.governed[id_]
    return {"title": f"{id_} {item.title}", "definitionCanonical": f"{url}|{item.version}"}


def _class(service: CDSService, drug_class: DrugClass) -> Resource:
    """A drug class for review by a clinician: a text, and no definition of an order."""
    item = drug_class.governance
    named = ", ".join(service.drugs[drug].title for drug in drug_class.drugs)
    text = f"For review by a clinician; never an order. In the order of review: {named}."
    return {"title": f"{item.id} {item.title}", "description": text}


def _plan(
    service: CDSService,
    publication: Publication,
    head: Resource,
    description: str,
    actions: list[Resource],
) -> Resource:
    library = publication.url("Library", artifact_id(service.id))
    return head | {
        "type": _RULE,
        "description": description,
        "usage": USAGE,
        "library": [f"{library}|{service.version}"],
        "action": actions,
    }


def _id(service: CDSService, id_: str) -> str:
    return artifact_id(service.id, id_)
