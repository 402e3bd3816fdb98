"""A small CDS Service that keeps every rule of CDS Hooks, written to be broken one by one."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import jwt
from flask import Flask, Response, request
from tokens import private_key
from werkzeug.exceptions import HTTPException

Json = dict[str, Any]
ID = "small"
USERS = ("Practitioner/", "PractitionerRole/", "Patient/", "RelatedPerson/")
_FORBIDDEN_IN_JSON = ("NaN", "Infinity", "-Infinity")


class Refused(Exception):
    """The call is answered with this status."""

    def __init__(self, status: int, text: str = "refused") -> None:
        super().__init__(text)
        self.status, self.text = status, text


def _no_constants(name: str) -> None:
    raise ValueError(name)


class SmallService:
    """Answers patient-view; each part is a method, so that a broken service has another one."""

    asks_for_tokens = False

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.calls = 0

    # -- what it says ----------------------------------------------------------------------------

    def entry(self) -> Json:
        return {
            "id": ID,
            "hook": "patient-view",
            "title": "Small",
            "description": "Says hello to each patient.",
            "prefetch": {
                "person": "Patient/{{context.patientId}}",
                "conditions": "Condition?patient={{context.patientId}}",
            },
        }

    def uuid(self, name: str, call: Json) -> str:
        return str(uuid5(NAMESPACE_URL, f"{name} {call['context']['patientId']}"))

    def card(self, call: Json) -> Json:
        person = call["context"]["patientId"]
        return {
            "uuid": self.uuid("card", call),
            "summary": "Hello",
            "indicator": "info",
            "detail": "Listed: " + ", ".join(map(self.escaped, self.texts(call))),
            "source": {
                "label": "A small service",
                "url": "https://small.example.org",
                "topic": {"system": "urn:small", "code": "hello"},
            },
            "overrideReasons": [{"code": "no", "system": "urn:small", "display": "Not now"}],
            "selectionBehavior": "at-most-one",
            "suggestions": [
                {
                    "label": "Do it",
                    "uuid": self.uuid("suggestion", call),
                    "isRecommended": True,
                    "actions": [self.action(person)],
                }
            ],
            "links": [self.link()],
        }

    def action(self, person: str) -> Json:
        subject = {"reference": f"Patient/{person}"}
        task = {"resourceType": "Task", "status": "requested", "intent": "proposal", "for": subject}
        return {"type": "create", "description": "Make a task", "resource": task}

    def link(self) -> Json:
        return {"label": "More", "url": "https://small.example.org/more", "type": "absolute"}

    def cards(self, call: Json) -> list[Json]:
        other = {"uuid": self.uuid("other", call), "indicator": "warning"}
        return [self.card(call), {**other, "summary": "And more", "source": {"label": "Small"}}]

    def answer(self, call: Json) -> Any:
        return {"cards": self.cards(call)}

    def texts(self, call: Json) -> list[str]:
        """The texts of the conditions that were sent."""
        found = []
        bundle = call["prefetch"]["conditions"]
        for entry in bundle.get("entry", ()):
            code = entry["resource"].get("code")
            if isinstance(code, dict) and isinstance(code.get("text"), str):
                found.append(code["text"][:80])
        return found

    def escaped(self, text: str) -> str:
        return "".join(
            each if each.isalnum() or each == " " else f"&#{ord(each)};" for each in text
        )

    # -- how it reads a call ---------------------------------------------------------------------

    def read(self) -> Json:
        if request.mimetype not in ("", "application/json"):
            raise Refused(415)
        try:
            value = json.loads(request.get_data(), parse_constant=_no_constants)
            json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise Refused(400, "no JSON") from None
        if not isinstance(value, dict):
            raise Refused(400, "no object")
        return value

    def check_context(self, call: Json) -> None:
        context = call.get("context")
        if call.get("hook") != "patient-view" or not isinstance(call.get("hookInstance"), str):
            raise Refused(400, "the hook")
        if not isinstance(context, dict) or not isinstance(context.get("patientId"), str):
            raise Refused(400, "the patient")
        if not str(context.get("userId")).startswith(self.users()):
            raise Refused(400, "the user")

    def users(self) -> tuple[str, ...]:
        return USERS

    def check_prefetch(self, call: Json) -> None:
        prefetch = call.get("prefetch")
        if prefetch is not None and not isinstance(prefetch, dict):
            raise Refused(400, "prefetch")
        if "fhirAuthorization" in call and "fhirServer" not in call:
            raise Refused(400, "no server")
        if not isinstance(call.get("fhirServer", ""), str):
            raise Refused(400, "the server")
        for key in ("person", "conditions"):
            self.check_value(key, (prefetch or {}).get(key, ...))

    def check_value(self, key: str, value: Any) -> None:
        type_ = {"person": "Patient", "conditions": "Bundle"}[key]
        if not isinstance(value, dict) or value.get("resourceType") != type_:
            raise Refused(412, key)

    def call(self, id_: str) -> Any:
        self.calls += 1
        if id_ != ID:
            raise Refused(404)
        call = self.read()
        self.check_context(call)
        self.check_prefetch(call)
        return self.answer(call)

    # -- feedback --------------------------------------------------------------------------------

    def feedback(self, id_: str) -> None:
        if id_ != ID:
            raise Refused(404)
        entries = self.read().get("feedback")
        if not isinstance(entries, list):
            raise Refused(400, "no list")
        for entry in entries:
            self.check_entry(entry)

    def check_entry(self, entry: Any) -> None:
        if not isinstance(entry, dict) or not isinstance(entry.get("card"), str):
            raise Refused(400, "no card")
        try:
            datetime.fromisoformat(str(entry.get("outcomeTimestamp")).replace("Z", "+00:00"))
        except ValueError:
            raise Refused(400, "no time") from None
        if entry.get("outcome") not in ("accepted", "overridden"):
            raise Refused(400, "no outcome")
        if entry["outcome"] == "accepted" and not entry.get("acceptedSuggestions"):
            raise Refused(400, "no suggestions")

    # -- who calls -------------------------------------------------------------------------------

    algorithms = ("ES384",)
    checks_audience = True

    def who_calls(self) -> None:
        if not self.asks_for_tokens or request.method == "OPTIONS":
            return
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = self.claims(token)
        except jwt.PyJWTError:
            raise Refused(401, "who are you?") from None
        if claims["jti"] in self.used:
            raise Refused(401, "who are you?")
        self.used.add(claims["jti"])

    def claims(self, token: str) -> Json:
        key = private_key("ES384").public_key()
        options: Any = {"require": ["exp", "jti", "aud"], "verify_aud": self.checks_audience}
        return jwt.decode(
            token, key, list(self.algorithms), audience=request.base_url, options=options
        )

    # -- HTTP ------------------------------------------------------------------------------------

    def response(self, value: Any, status: int = 200) -> Response:
        return Response(json.dumps(value), status, mimetype="application/json")

    def error(self, status: int, text: str) -> Response:
        issue = {"severity": "error", "code": "invalid", "diagnostics": text}
        return self.response({"resourceType": "OperationOutcome", "issue": [issue]}, status)

    def headers(self, response: Response) -> None:
        response.headers["Access-Control-Allow-Origin"] = "*"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "authorization, content-type"

    def app(self) -> Flask:
        """The service as a WSGI application."""
        app = Flask("small")
        app.url_map.strict_slashes = False

        @app.before_request
        def who_calls() -> None:
            self.who_calls()

        @app.get("/cds-services")
        def discover() -> Any:
            return self.response({"services": [self.entry()]})

        @app.post("/cds-services/<id_>")
        def call(id_: str) -> Any:
            return self.response(self.call(id_))

        @app.post("/cds-services/<id_>/feedback")
        def feedback(id_: str) -> Any:
            self.feedback(id_)
            return "", 204

        @app.errorhandler(Refused)
        def refuse(error: Refused) -> Any:
            return self.error(error.status, error.text)

        @app.errorhandler(HTTPException)
        def refuse_as_http_says(error: HTTPException) -> Any:
            response = self.error(error.code or 500, "refused")
            for name, text in error.get_headers():
                response.headers.setdefault(name, text)
            return response

        @app.errorhandler(Exception)
        def fail(error: Exception) -> Any:
            return self.error(500, "failed")

        @app.after_request
        def add_headers(response: Response) -> Response:
            self.headers(response)
            return response

        return app
