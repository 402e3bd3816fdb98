"""The JSON that comes in: requests and feedback. What goes out is in responses.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, ClassVar, NoReturn
from urllib.parse import urlsplit

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    post_load,
    pre_load,
    validate,
    validates_schema,
)

from cds_service.errors import BodyTooLarge, InvalidRequest
from cds_service.knowledge.call import Resource

FAULTS_SHOWN = 20
MOST_FEEDBACK = 200  # entries in a call
MOST_ACCEPTED = 1000  # suggestions in all of them
_URN = "urn:uuid:"


@dataclass(frozen=True, slots=True)
class FHIRAuthorization:
    """The bearer token for the caller's FHIR server; it is never shown, stored or logged."""

    access_token: str = field(repr=False)
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme


@dataclass(frozen=True, slots=True)
class CDSRequest:
    """CDS Hooks "HTTP Request"; `context` and `prefetch` are kept as they were received."""

    hook: str
    hook_instance: str
    context: Resource = field(repr=False)
    prefetch: Resource | None = field(default=None, repr=False)
    fhir_server: str | None = None
    fhir_authorization: FHIRAuthorization | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """The Coding of an override reason; the sandbox sends no display and sometimes no system."""

    code: str
    system: str | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class OverrideReason:
    """Why a clinician rejected a card."""

    reason: Reason | None = None
    user_comment: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Feedback:
    """CDS Hooks "Feedback": what a clinician did with one card."""

    card: str
    outcome: str
    outcome_timestamp: datetime
    accepted_suggestions: Sequence[str] = ()
    override_reason: OverrideReason | None = None


class Text(fields.String):
    """A string that is not empty. Other types are refused, not converted."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return value

    def _validate(self, value: Any) -> None:
        if not value.strip():
            raise ValidationError("Must not be empty.")
        super()._validate(value)


def absolute_address(url: str) -> None:
    """Raises ValidationError unless this is an http(s) address without credentials."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    except ValueError:
        sound = False
    if not sound or re.search(r"\s", url):
        raise ValidationError("Must be an absolute http or https address.")


def _within_the_calendar(moment: datetime) -> None:
    try:
        moment.astimezone(UTC)
    except OverflowError:  # the first hours of the year 1 and the last of the year 9999
        raise ValidationError("Must be a time that UTC has.") from None


class CDSSchema(Schema):
    """A JSON object of CDS Hooks: camelCase in JSON, snake_case in Python."""

    class Meta:
        unknown = EXCLUDE  # CDS Hooks, "Changes to a Hook" and "Extensions"

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        first, *others = field_name.split("_")
        field_obj.data_key = field_obj.data_key or first + "".join(map(str.capitalize, others))

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> NoReturn:
        """Raise a copy: the frame that raises `error` keeps it, and with it the whole body."""
        raise copy(error)


class ReceivedSchema(CDSSchema):
    """An object that comes in. The standard forbids null and ""; they are read as not sent."""

    built_as: ClassVar[type]

    @pre_load
    def read_nothing_as_absent(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {name: value for name, value in data.items() if value is not None and value != ""}

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        return self.built_as(**data)


class FHIRAuthorizationSchema(ReceivedSchema):
    """The members that are used; others never make a call fail."""

    built_as = FHIRAuthorization
    access_token = Text(required=True, data_key="access_token")
    token_type = Text(
        data_key="token_type", validate=validate.Regexp("(?i)bearer$", error="Must be Bearer.")
    )


class CDSRequestSchema(ReceivedSchema):
    built_as = CDSRequest
    hook = Text(required=True)
    hook_instance = Text(required=True)
    context = fields.Dict(required=True)
    prefetch = fields.Dict()
    fhir_server = Text(validate=absolute_address)
    fhir_authorization = fields.Nested(FHIRAuthorizationSchema)

    @validates_schema
    def needs_a_server(self, data: dict[str, Any], **_: Any) -> None:
        if "fhir_authorization" in data and "fhir_server" not in data:
            raise ValidationError("Required with fhirAuthorization.", "fhirServer")


class ReasonSchema(ReceivedSchema):
    built_as = Reason
    code = Text(required=True)
    system = Text()
    display = Text()


class OverrideReasonSchema(ReceivedSchema):
    built_as = OverrideReason
    reason = fields.Nested(ReasonSchema)
    user_comment = fields.String()


class Uuid(Text):
    """A uuid; some clients write it as a URN."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        return text[len(_URN) :] if text and text.lower().startswith(_URN) else text


class AcceptedSuggestionSchema(ReceivedSchema):
    id = Uuid(required=True)

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> Any:
        return data["id"]


class FeedbackSchema(ReceivedSchema):
    built_as = Feedback
    card = Uuid(required=True)
    outcome = Text(required=True, validate=validate.OneOf(["accepted", "overridden"]))
    outcome_timestamp = fields.AwareDateTime(
        required=True, format="iso", validate=_within_the_calendar
    )
    accepted_suggestions = fields.List(fields.Nested(AcceptedSuggestionSchema))
    override_reason = fields.Nested(OverrideReasonSchema)

    @validates_schema
    def names_what_was_accepted(self, data: dict[str, Any], **_: Any) -> None:
        if data["outcome"] == "accepted" and not data.get("accepted_suggestions"):
            raise ValidationError("Required when accepted.", "acceptedSuggestions")


class FeedbackRequestSchema(CDSSchema):
    feedback = fields.List(fields.Nested(FeedbackSchema), required=True)


_REQUEST = CDSRequestSchema()
_FEEDBACK = FeedbackRequestSchema()


def load_request(body: Any) -> CDSRequest:
    """The request in `body`. Raises InvalidRequest with a path to each fault."""
    request: CDSRequest = load(_REQUEST, body)
    return request


def load_feedback(body: Any) -> Sequence[Feedback]:
    """The entries of a feedback call. Raises InvalidRequest with a path to each fault.

    Raises BodyTooLarge for more entries, or more accepted suggestions, than one call may have.
    """
    _check_size(body)
    entries: Sequence[Feedback] = load(_FEEDBACK, body)["feedback"]
    return entries


def _check_size(body: Any) -> None:
    # Before the schema reads them, which costs more than the rest of the call.
    entries = body.get("feedback") if isinstance(body, Mapping) else None
    if not isinstance(entries, list):
        return
    if len(entries) > MOST_FEEDBACK:
        raise BodyTooLarge(f"Send at most {MOST_FEEDBACK} entries of feedback in a call.")
    accepted = (entry.get("acceptedSuggestions") for entry in entries if isinstance(entry, Mapping))
    if sum(len(ids) for ids in accepted if isinstance(ids, list)) > MOST_ACCEPTED:
        raise BodyTooLarge(f"Send at most {MOST_ACCEPTED} accepted suggestions in a call.")


def load(schema: Schema, value: Any, *, path: str = "") -> Any:
    """The object that `schema` builds from `value`, found at `path`. Raises InvalidRequest."""
    try:
        return schema.load(value)
    except ValidationError as error:
        raise InvalidRequest.at(
            dict(islice(_faults(error.messages, path), FAULTS_SHOWN))
        ) from error


def _faults(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    """The path to each fault, written as in FHIRPath, and what is wrong."""
    if not isinstance(messages, dict):
        yield path, " ".join(map(str, messages))
        return
    for name, inner in messages.items():
        if name == "_schema":
            yield from _faults(inner, path)
        elif isinstance(name, int):
            yield from _faults(inner, f"{path}[{name}]")
        else:
            yield from _faults(inner, f"{path}.{name}" if path else str(name))
