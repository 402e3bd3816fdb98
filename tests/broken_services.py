"""Small services, each with one fault, by the rule of CDS Hooks that it breaks."""

from __future__ import annotations

import json
import traceback
from typing import Any

import jwt
from flask import Response, request
from small_service import Json, Refused, SmallService


def entry(**members: Any) -> type[SmallService]:
    """A service whose entry in discovery has other members; `...` leaves one out."""

    class Broken(SmallService):
        def entry(self) -> Json:
            changed = super().entry() | members
            return {name: value for name, value in changed.items() if value is not ...}

    return Broken


def card(**members: Any) -> type[SmallService]:
    """A service whose first card has other members."""

    class Broken(SmallService):
        def card(self, call: Json) -> Json:
            changed = super().card(call) | members
            return {name: value for name, value in changed.items() if value is not ...}

    return Broken


def action(**members: Any) -> type[SmallService]:
    class Broken(SmallService):
        def action(self, person: str) -> Json:
            changed = super().action(person) | members
            return {name: value for name, value in changed.items() if value is not ...}

    return Broken


def link(**members: Any) -> type[SmallService]:
    class Broken(SmallService):
        def link(self) -> Json:
            return super().link() | members

    return Broken


def fails_with(is_odd: Any) -> type[SmallService]:
    """A service that breaks down over some prefetched values."""

    class Broken(SmallService):
        def check_value(self, key: str, value: Any) -> None:
            if is_odd(value):
                raise KeyError(key)
            super().check_value(key, value)

    return Broken


def header(name: str, text: str | None, *, is_preflight: bool | None = None) -> type[SmallService]:
    class Broken(SmallService):
        def headers(self, response: Response) -> None:
            super().headers(response)
            if is_preflight in (None, request.method == "OPTIONS"):
                response.headers.pop(name, None)
                if text is not None:
                    response.headers[name] = text

    return Broken


TEMPLATES = SmallService().entry()["prefetch"]


def template(text: str) -> type[SmallService]:
    return entry(prefetch=TEMPLATES | {"conditions": text})


class NoCards(SmallService):
    def answer(self, call: Json) -> Any:
        return {}


class StrictMembers(SmallService):
    def check_context(self, call: Json) -> None:
        super().check_context(call)
        if set(call) - {"hook", "hookInstance", "context", "prefetch", *AUTHORIZATION}:
            raise Refused(400)


AUTHORIZATION = ("fhirServer", "fhirAuthorization")


class NeedsEncounter(SmallService):
    def check_context(self, call: Json) -> None:
        super().check_context(call)
        if "encounterId" not in call["context"]:
            raise Refused(400)


class CliniciansOnly(SmallService):
    def users(self) -> tuple[str, ...]:
        return ("Practitioner/", "PractitionerRole/")


class RefusesWithoutPrefetch(SmallService):
    def check_prefetch(self, call: Json) -> None:
        if not call.get("prefetch") and "fhirServer" not in call:
            raise Refused(400)
        super().check_prefetch(call)


class NeedsEachKey(SmallService):
    def check_prefetch(self, call: Json) -> None:
        if len(call.get("prefetch") or ()) == 1:
            raise KeyError("prefetch")
        super().check_prefetch(call)


class NeedsEntries(SmallService):
    def check_value(self, key: str, value: Any) -> None:
        super().check_value(key, value)
        if key == "conditions" and not value.get("total", 1) == 0:
            value["entry"][0]  # noqa: B018 - the fault


class OneUuid(SmallService):
    def uuid(self, name: str, call: Json) -> str:
        return super().uuid("card", call)


class SameUuids(SmallService):
    def uuid(self, name: str, call: Json) -> str:
        return super().uuid(name, {"context": {"patientId": "everybody"}})


class SentAsText(SmallService):
    def response(self, value: Any, status: int = 200) -> Response:
        response = super().response(value, status)
        response.mimetype = "text/plain"
        return response


class WithNaN(SmallService):
    def answer(self, call: Json) -> Any:
        return super().answer(call) | {"extension": {"org.example.score": float("nan")}}


class OneEntryOnly(SmallService):
    def feedback(self, id_: str) -> None:
        if len(self.read().get("feedback") or ()) > 1:
            raise Refused(400)
        super().feedback(id_)


class FailsOnNonsense(SmallService):
    def feedback(self, id_: str) -> None:
        if not isinstance(self.read().get("feedback"), list):
            raise KeyError("feedback")
        super().feedback(id_)


class TellsAll(SmallService):
    def error(self, status: int, text: str) -> Response:
        try:
            raise ValueError(text)
        except ValueError:
            return super().error(status, traceback.format_exc())


class TakesAnything(SmallService):
    def read(self) -> Json:
        try:
            return super().read()
        except Refused as refused:
            if refused.text != "no JSON" or request.path.endswith("/feedback"):
                raise
            raise KeyError("a body that is no JSON") from None


class AnswersEverybody(SmallService):
    def call(self, id_: str) -> Any:
        return super().call("small")


class NeverHeardOfFeedback(SmallService):
    def feedback(self, id_: str) -> None:
        raise KeyError("feedback")


class NoCORSOnErrors(SmallService):
    def headers(self, response: Response) -> None:
        if response.status_code < 400:
            super().headers(response)


class RefusesPreflights(SmallService):
    def who_calls(self) -> None:
        if request.method == "OPTIONS":
            raise Refused(403)


class Echoes(SmallService):
    def answer(self, call: Json) -> Any:
        said = json.dumps(call.get("fhirAuthorization", "nothing"))
        return super().answer(call) | {"extension": {"org.example.request": said}}


class NeedsItsFHIRServer(SmallService):
    def check_prefetch(self, call: Json) -> None:
        super().check_prefetch(call)
        if "fhirServer" in call:
            raise ConnectionError("no such host")


class NeverTheSame(SmallService):
    def card(self, call: Json) -> Json:
        return super().card(call) | {"summary": f"Hello, call {self.calls}"}


class DoesNotEscape(SmallService):
    def escaped(self, text: str) -> str:
        return text


class StrictAboutTokens(SmallService):
    def who_calls(self) -> None:
        if request.headers.get("Authorization", "Bearer ey").startswith("Basic"):
            raise Refused(401)


class OldPatient(SmallService):
    """Remembers the patient of the call before."""

    before = ""

    def answer(self, call: Json) -> Any:
        found = super().answer(call) | {"extension": {"org.example.before": self.before or "-"}}
        self.before = call["context"]["patientId"]
        return found


class WithTokens(SmallService):
    asks_for_tokens = True


class BelievesEverybody(WithTokens):
    def claims(self, token: str) -> Json:
        try:
            return super().claims(token)
        except jwt.PyJWTError:
            header = jwt.get_unverified_header(token)
            if header["alg"] != "none":
                raise
            return jwt.decode(token, options={"verify_signature": False})


class AnyAudience(WithTokens):
    checks_audience = False


OPEN: dict[str, tuple[str, type[SmallService]]] = {
    "no description": ("D-4", entry(description=...)),
    "a template that is no text": ("D-7", entry(prefetch=TEMPLATES | {"other": 7})),
    "usage requirements as a list": ("D-8", entry(usageRequirements=["a FHIR server"])),
    "a hook version of its own": ("D-10", entry(hookVersion="7.0")),
    "a template with one brace": ("P-1", template("Condition?patient={context.patientId}")),
    "a token of its own": (
        "P-2",
        template("Condition?patient={{patient}}&x={{context.patientId}}"),
    ),
    "a member of another hook": (
        "P-3",
        template("Condition?patient={{context.patientId}}&x={{context.performer}}"),
    ),
    "a token that is computed": (
        "P-4",
        template("Condition?patient={{context.patientId}}&date={{today()}}"),
    ),
    "an object without cards": ("S-2", NoCards),
    "unknown members are refused": ("S-6", StrictMembers),
    "the encounter is needed": ("S-7", NeedsEncounter),
    "only clinicians may call": ("S-8", CliniciansOnly),
    "null is a failure": ("PR-1", fails_with(lambda value: value is None)),
    "a missing key is a failure": ("PR-3", NeedsEachKey),
    "400 instead of 412": ("PR-4", RefusesWithoutPrefetch),
    "an empty search is a failure": ("PR-5", NeedsEntries),
    "text is a failure": ("PR-7", fails_with(lambda value: isinstance(value, str))),
    "a summary of 140 characters": ("C-3", card(summary="x" * 140)),
    "an indicator of its own": ("C-4", card(indicator="hard-stop")),
    "a detail that is no text": ("C-5", card(detail=7)),
    "a uuid twice": ("C-7", OneUuid),
    "the uuid of another patient's card": ("C-8", SameUuids),
    "a script": ("C-9", card(detail="<script>alert(1)</script>")),
    "suggestions that exclude nothing": ("C-11", card(selectionBehavior=...)),
    "no source": ("SR-1", card(source="Small")),
    "a source without label": ("SR-2", card(source={"url": "https://small.example.org"})),
    "a source with a path": ("SR-3", card(source={"label": "Small", "url": "/more"})),
    "a reason without display": ("O-2", card(overrideReasons=[{"code": "a", "system": "b"}])),
    "an action without description": ("A-2", action(description=...)),
    "an update without id": ("A-4", action(type="update")),
    "context on an absolute link": ("L-4", link(appContext="x")),
    "a link of its own type": ("L-3", link(type="launch")),
    "sent as text": ("J-2", SentAsText),
    "not a number": ("J-2", WithNaN),
    "an empty detail": ("J-3", card(detail="")),
    "null in a resource": ("J-4", action(resource={"resourceType": "Task", "note": None})),
    "one entry of feedback at most": ("F-2", OneEntryOnly),
    "nonsense as feedback is a failure": ("F-4", FailsOnNonsense),
    "feedback fails": ("F-1", NeverHeardOfFeedback),
    "a stack trace": ("E-2", TellsAll),
    "every id is answered": ("N-11", AnswersEverybody),
    "no preflight": ("X-1", RefusesPreflights),
    "another origin": (
        "X-2",
        header("Access-Control-Allow-Origin", "https://a.org", is_preflight=True),
    ),
    "no header for tokens": ("X-3", header("Access-Control-Allow-Headers", "content-type")),
    "no page may read it": ("X-4", header("Access-Control-Allow-Origin", None, is_preflight=False)),
    "no page may read errors": ("X-5", NoCORSOnErrors),
    "the access token comes back": ("T-6", Echoes),
    "other schemes are refused": ("T-2", StrictAboutTokens),
    "a dead FHIR server is a failure": ("FA-1", NeedsItsFHIRServer),
    "another answer each time": ("H-1", NeverTheSame),
    "markup goes through": ("H-2", DoesNotEscape),
}
# What breaks besides, because it is the same fault: a browser that may read nothing reads no error.
ALSO = {"no page may read it": {"X-5"}}

GUARDED: dict[str, tuple[str, type[SmallService]]] = {
    "a token without a signature": ("T-5", BelievesEverybody),
    "a token for another address": ("T-7", AnyAudience),
}
