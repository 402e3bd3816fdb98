"""Loads cards/ as Knowledge. All mistakes are found, with file and key, before serving."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path

from cds_service.errors import KnowledgeError
from cds_service.knowledge.answering import Knowledge
from cds_service.knowledge.facts.kinds import RESOURCE_TYPES
from cds_service.knowledge.loading import checks
from cds_service.knowledge.loading.guard_files import GuardsSchema
from cds_service.knowledge.loading.guards import Guarding
from cds_service.knowledge.loading.library import load_library
from cds_service.knowledge.loading.problems import Problems
from cds_service.knowledge.loading.service_folder import ServiceFolder
from cds_service.knowledge.record.validation import load_models

# The default: the hooks that can be served, with the tokens of their templates.
PATIENT_VIEW: Mapping[str, Collection[str]] = {
    "patient-view": ("context.patientId", "context.userId", "context.encounterId")
}


def load(
    folder: Path,
    *,
    hooks: Mapping[str, Collection[str]] = PATIENT_VIEW,
    thorough_on: date | None = None,
) -> Knowledge:
    """The knowledge in a cards/ folder for the hooks that can be served, each with its tokens.

    Raises KnowledgeError with every problem that was found. With a day for a thorough check, it
    also checks check digits, unused value sets, overdue reviews, numbers and lists that are alike.
    """
    problems = Problems(folder)
    library = load_library(folder, problems, thorough=thorough_on is not None)
    path = folder / "guards.yaml"
    guards = problems.load(GuardsSchema(), path, problems.read(path))
    if problems.unreadable:  # everything else rests on these files
        raise KnowledgeError(problems.found)
    services = {}
    for path in sorted(folder.glob("*/service.yaml")):
        service = ServiceFolder(path.parent, library, problems).load()
        if service is not None:
            checks.check_service(service, path.parent, library, problems, hooks, thorough_on)
            if guards is not None:
                keep = Guarding(service, path.parent, guards, problems)
                keep.check_prescriptions(library.phrases)
                if thorough_on is not None:
                    keep.check_numbers()
                    keep.check_lists()
            services[service.id] = service
    if thorough_on is not None and not problems.found:
        checks.check_value_sets(services, library, problems)
    if not services and not problems.found:
        problems.add(folder, "", "has no service (a folder with service.yaml)")
    if problems.found:
        raise KnowledgeError(problems.found)
    load_models(RESOURCE_TYPES)
    for service in services.values():
        service.prepare()
    version = "+".join(service.version for service in services.values())
    return Knowledge(version, services, library.value_sets, library.attributes)
