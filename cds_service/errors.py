"""The exceptions of the service, with their HTTP status and FHIR OperationOutcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that the CDS Client has to change, and where it is in the request."""

    diagnostics: str
    expression: str | None = None


class CDSError(Exception):
    """A call that cannot be answered. The caller reads the texts; they repeat no value of the call.

    `status` is the HTTP status, `code` a FHIR issue type; `headers` are sent with the answer.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, diagnostics: str, expression: str | None = None) -> None:
        super().__init__(diagnostics)
        self.faults: tuple[Fault, ...] = (Fault(diagnostics, expression),)

    @classmethod
    def at(cls, faults: Mapping[str, str]) -> CDSError:
        """One error for several faults, given by their paths ("" is the whole body)."""
        error = cls("; ".join(f"{path}: {text}" if path else text for path, text in faults.items()))
        error.faults = tuple(Fault(text, path or None) for path, text in faults.items())
        return error


class InvalidRequest(CDSError):
    """The body can be read, but does not follow the schema of CDS Hooks or of the hook."""

    status = 400
    code = "invalid"


class UnreadableBody(InvalidRequest):
    """The body is not JSON in UTF-8, or nests deeper than any FHIR resource."""

    code = "structure"


class NotAuthenticated(CDSError):
    """The call has no valid token; `reason` is for the log, never for the caller."""

    status = 401
    code = "login"
    headers = {"WWW-Authenticate": "Bearer"}

    def __init__(self, reason: str) -> None:
        super().__init__("This service answers only CDS Clients that it knows; send a valid token.")
        self.reason = reason


class NotSignedIn(CDSError):
    """A page with figures is for readers who have signed in."""

    status = 401
    code = "login"
    headers = {"WWW-Authenticate": "Bearer"}


class NotAllowed(CDSError):
    """This caller may not use this address."""

    status = 403
    code = "forbidden"


class UnknownService(CDSError):
    """There is no CDS Service with this id, or nothing at this address."""

    status = 404
    code = "not-found"


class UnknownCard(CDSError):
    """No card with this uuid is stored: there never was one, or it has been deleted by age."""

    status = 404
    code = "not-found"


class UnknownPerson(CDSError):
    """No invented person has this name, or several names start with it."""

    status = 404
    code = "not-found"


class MethodNotAllowed(CDSError):
    """The address exists, but not for this HTTP method."""

    status = 405
    code = "not-supported"


class BodyTooLate(CDSError):
    """The body did not arrive in time."""

    status = 408
    code = "timeout"


class PreconditionFailed(CDSError):
    """Data that the service needs was not in the prefetch and could not be fetched."""

    # CDS Hooks, "HTTP Status Codes": 412 and no other.
    status = 412
    code = "required"


class BodyTooLarge(CDSError):
    """The body is longer than the operator allows."""

    status = 413
    code = "too-long"


class UnsupportedMediaType(CDSError):
    """The body is declared as something other than plain JSON."""

    status = 415
    code = "not-supported"


class TooManyCalls(CDSError):
    """This client calls more often than the operator allows."""

    status = 429
    code = "throttled"


class Unavailable(CDSError):
    """Something needed for the answer cannot be reached now; the call may be sent again."""

    status = 503
    code = "transient"
    headers = {"Retry-After": "5"}


class TooManyLargeBodies(Unavailable):
    """One more large body at the same time would take too much memory."""


class TooManyFetches(Unavailable):
    """Many calls fetch data at the moment; this one would have to wait too long."""


class StoreUnavailable(Unavailable):
    """The store does not answer; the client should send the same again later."""

    def __init__(self) -> None:
        super().__init__("This cannot be stored now; please send it again later.")


class StartError(Exception):
    """The service cannot start; the text tells the operator what to change."""


class SettingsError(StartError):
    """The value of an environment variable is wrong; the text names the variable."""


class SimulationFailed(StartError):
    """A simulation cannot go on; the text tells the operator what to change, and holds no value."""


class KnowledgeError(StartError):
    """The content in cards/ has problems; one line for each, with its file and key."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


_BY_STATUS: Mapping[int, tuple[type[CDSError], str]] = {
    400: (InvalidRequest, "The request cannot be understood."),
    404: (UnknownService, "There is nothing at this address; see GET /cds-services."),
    405: (MethodNotAllowed, "This address does not answer this HTTP method; see Allow."),
    413: (BodyTooLarge, "The body is larger than this service accepts."),
    415: (UnsupportedMediaType, "Send JSON as application/json."),
    429: (TooManyCalls, "This client calls too often; wait as Retry-After says."),
}


def error_of_status(status: int) -> CDSError:
    """The error for an HTTP status that the web framework chose."""
    error, diagnostics = _BY_STATUS.get(status, (CDSError, "The request cannot be answered."))
    return error(diagnostics)


def operation_outcome(error: CDSError) -> dict[str, Any]:
    """The FHIR OperationOutcome that CDS Hooks 3.0 recommends for every answer other than 2xx."""
    severity = "fatal" if error.status >= 500 else "error"
    return {
        "resourceType": "OperationOutcome",
        "issue": [_issue(severity, error.code, fault) for fault in error.faults],
    }


def _issue(severity: str, code: str, fault: Fault) -> dict[str, Any]:
    issue: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": fault.diagnostics}
    if fault.expression:
        issue["expression"] = [fault.expression]
    return issue


def drop_frames(error: BaseException | None) -> None:
    """Take the tracebacks off an error that is handled, and off those that it came from.

    Frames hold what they have read, a body of 16 MiB too. Some hold the error as well, and then
    all of it would stay until the garbage collector looks through the whole process.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
