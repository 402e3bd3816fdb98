"""Errors: each has its status, and one shape outside."""

from __future__ import annotations

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from cds_service.errors import (
    BodyTooLarge,
    CDSError,
    InvalidRequest,
    KnowledgeError,
    MethodNotAllowed,
    PreconditionFailed,
    SettingsError,
    StartError,
    UnknownService,
    UnreadableBody,
    UnsupportedMediaType,
    error_of_status,
    operation_outcome,
)

STATUSES = {
    InvalidRequest: 400,
    UnreadableBody: 400,
    UnknownService: 404,
    MethodNotAllowed: 405,
    PreconditionFailed: 412,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    CDSError: 500,
}
# FHIR R4, value set issue-type, as far as we use it.
ISSUE_TYPES = {
    "invalid", "structure", "required", "not-found", "not-supported", "too-long", "exception",
}  # fmt: skip


@pytest.mark.parametrize("error, status", STATUSES.items())
def test_every_error_has_its_status_and_its_issue_type(error: type[CDSError], status: int) -> None:
    assert error.status == status
    assert error.code in ISSUE_TYPES


@pytest.mark.parametrize("error", STATUSES)
def test_every_error_is_a_valid_operation_outcome(error: type[CDSError]) -> None:
    outcome = operation_outcome(error.at({"context.patientId": "Must be an id.", "": "No."}))
    assert OperationOutcome.model_validate(outcome).issue[0].code == error.code


def test_an_outcome_names_the_path_to_the_fault() -> None:
    assert operation_outcome(InvalidRequest("Must be an id.", "context.patientId")) == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "invalid",
                "diagnostics": "Must be an id.",
                "expression": ["context.patientId"],
            }
        ],
    }


def test_a_fault_of_the_whole_has_no_path() -> None:
    (issue,) = operation_outcome(InvalidRequest.at({"": "Invalid input type."}))["issue"]
    assert "expression" not in issue


def test_several_faults_are_several_issues_of_one_error() -> None:
    error = PreconditionFailed.at({"prefetch.patient": "missing", "prefetch.vitalSigns": "missing"})
    assert isinstance(error, PreconditionFailed)
    assert [issue["expression"] for issue in operation_outcome(error)["issue"]] == [
        ["prefetch.patient"],
        ["prefetch.vitalSigns"],
    ]
    assert str(error) == "prefetch.patient: missing; prefetch.vitalSigns: missing"


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415])
def test_what_the_web_framework_refuses_has_an_error_too(status: int) -> None:
    assert error_of_status(status).status == status


def test_a_status_that_nobody_foresaw_says_as_little_as_possible() -> None:
    assert operation_outcome(error_of_status(418))["issue"][0]["severity"] == "fatal"


def test_problems_of_the_knowledge_are_all_told() -> None:
    error = KnowledgeError(["a.yaml: id: missing", "b.yaml: when: unknown name"])
    assert error.problems == ("a.yaml: id: missing", "b.yaml: when: unknown name")
    assert str(error) == "a.yaml: id: missing\nb.yaml: when: unknown name"


def test_what_stops_the_start_is_never_an_answer() -> None:
    assert issubclass(SettingsError, StartError) and issubclass(KnowledgeError, StartError)
    assert not issubclass(StartError, CDSError)
