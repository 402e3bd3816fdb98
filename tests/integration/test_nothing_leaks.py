"""What is in a record, in feedback and in tokens is in no log, metric, audit row or error.

Every fixture conversation, broken and hostile forms of it, feedback with comments and tokens of
every kind go through the service; then everything that it left behind is searched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from builders import NOW, feedback
from cards.conversations import requests
from flask.testing import FlaskClient
from tokens import ISSUER, PUBLIC_URL, Signer, write_jwks

from cds_service import create_app
from cds_service.knowledge import CDSService, Knowledge
from cds_service.setting_types import Issuer
from cds_service.settings import Settings
from cds_service.store.calls import calls
from cds_service.web.collaborators import EXTENSION

ACCESS_TOKEN = "access-token-of-the-fhir-server-c2VjcmV0"
COMMENT = "Frau Musterfrau is my neighbour"
_LEAST_LETTERS = 3
# Words of FHIR and of the standard that are in any record, and name nobody.
_COMMON = re.compile(r"patient-view|(https?://)?[\w.-]+\.(org|com|net)(/.*)?|[a-z-]+")


@dataclass
class Left:
    """What the service has left behind."""

    log: str = ""
    metrics: str = ""
    audit: str = ""
    errors: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)


@pytest.fixture(scope="module")
def left(cards: Knowledge, service: CDSService, tmp_path_factory: pytest.TempPathFactory) -> Left:
    folder = tmp_path_factory.mktemp("leaks")
    settings = Settings(
        issuers=(Issuer(ISSUER, str(write_jwks(folder, "ES384"))),),
        public_url=PUBLIC_URL,
        metrics_open=True,
        store_url=f"sqlite:///{folder / 'store.sqlite3'}",
        log_level="DEBUG",
    )
    application = create_app(settings, cards, lambda: NOW)
    result = Left()
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("w") as log:
        patch.setattr("sys.stdout", log)
        _drive(application.test_client(), service, result)
    here = application.extensions[EXTENSION].memory
    here.writer.flush()
    result.log = (folder / "log").read_text()
    result.metrics = application.test_client().get("/metrics").text
    result.audit = "\n".join(json.dumps(asdict(row), default=str) for row in calls(here.store))
    here.writer.close()
    here.store.close()
    return result


def _drive(client: FlaskClient, service: CDSService, left: Left) -> None:
    address = f"/cds-services/{service.id}"
    for number, (_, request) in enumerate(requests(service)):
        left.secrets |= _texts(request["prefetch"]) | _texts(request["context"])
        request["fhirServer"] = "https://fhir.secret-hospital.example.org/r4"
        request["fhirAuthorization"] = {
            "access_token": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/Condition.rs",
            "subject": "secret-subject",
            "patient": request["context"]["patientId"],
        }
        # Broken in every way, but not everybody: refusals look alike.
        for body in (request, *(_broken(request) if number % 4 == 0 else ())):
            _send(client, address, body, left)
        _send(client, f"{address}/feedback", {"feedback": [_feedback(request)]}, left)
        _send(client, f"{address}/{request['context']['patientId']}", request, left)
    left.secrets -= _rules(service)  # some are written like codes of ICD-10
    left.secrets |= {ACCESS_TOKEN, COMMENT, "secret-hospital", "secret-subject", "Musterfrau"}


def _broken(request: dict[str, Any]) -> Iterator[Any]:
    """Forms of a request that are refused, each with the same record in it."""
    patient = request["prefetch"].get("patient") or {}
    secret = json.dumps(patient)
    yield {**request, "hook": secret}
    yield {**request, "hookInstance": patient.get("birthDate", "x"), "prefetch": None}
    yield {**request, "context": {**request["context"], "patientId": [secret]}}
    yield {**request, "context": {"userId": secret, "patientId": secret}}
    yield {**request, "prefetch": {secret: secret}}
    yield {**request, "prefetch": secret}
    yield {**request, "fhirServer": secret}
    hostile = deepcopy(request)
    for key in hostile["prefetch"]:
        hostile["prefetch"][key] = {"resourceType": secret, "entry": [secret]}
    yield hostile
    yield json.dumps(request)[:-1]
    yield [request]


def _feedback(request: dict[str, Any]) -> dict[str, Any]:
    reason = {"reason": {"code": "other", "display": COMMENT}, "userComment": COMMENT}
    return feedback(
        card=request["hookInstance"],
        overrideReason=reason,
        patient=request["context"]["patientId"],
    )


def _send(client: FlaskClient, address: str, body: Any, left: Left) -> None:
    tokens = [Signer().token(PUBLIC_URL + address), Signer(issuer=str(uuid4())).token(address)]
    text = body if isinstance(body, str) else json.dumps(body)
    for token in tokens:
        left.secrets.update(token.split(".")[1:])
        response = client.post(
            address,
            data=text,
            headers={"Authorization": f"Bearer {token}", "X-Request-Id": text[:40]},
        )
        left.statuses.add(response.status_code)
        if response.status_code >= 400:
            left.errors.append(response.text)


def _rules(service: CDSService) -> set[str]:
    return {each.governance.id for each in (*service.rules, *service.causes)}


def _texts(value: Any) -> set[str]:
    """Every text and every number with a fraction, but for words that any record has."""
    if isinstance(value, dict):
        told = (value[name] for name in value if name != "resourceType")
        return set().union(*map(_texts, told))
    if isinstance(value, list):
        return set().union(*map(_texts, value))
    text = str(value) if isinstance(value, str | float) else ""
    is_telling = sum(map(str.isalnum, text)) >= _LEAST_LETTERS and not _COMMON.fullmatch(text)
    return {text} if is_telling else set()


def _found(secrets: set[str], text: str) -> list[str]:
    words = [re.escape(secret) for secret in sorted(secrets)]
    found: set[str] = set()
    for start in range(0, len(words), 500):
        pattern = r"(?<![\w.])(?:" + "|".join(words[start : start + 500]) + r")(?![\w.])"
        found.update(re.findall(pattern, text))
    return sorted(found)


def test_the_search_has_something_to_search_for(left: Left) -> None:
    assert left.statuses >= {200, 204, 400, 401, 404, 412}
    assert not any(status >= 500 for status in left.statuses)
    assert len(left.secrets) > 500 and len(left.errors) > 100
    assert len(left.log.splitlines()) > 300 and len(left.audit.splitlines()) > 300
    assert _found({"Musterfrau"}, COMMENT) == ["Musterfrau"]


def test_log_metrics_audit_and_errors_hold_none_of_it(left: Left) -> None:
    numbers = {"milliseconds", "at"}  # of the call itself
    lines = [json.loads(line) for line in left.log.splitlines()]
    kept = [{name: each[name] for name in each if name not in numbers} for each in lines]
    labels = re.sub(r"(?m)[}\s][0-9.e+-]+$", "", left.metrics)  # without the counts themselves
    places = {
        "log": json.dumps(kept, ensure_ascii=False),
        "metrics": re.sub(r'le="[^"]*"', "", labels),
        "audit": re.sub(r'"(milliseconds|at)": [^,}]*', "", left.audit),
        "errors": "\n".join(left.errors),
    }
    assert {
        place: found for place in places if (found := _found(left.secrets, places[place]))
    } == {}


def test_every_member_of_a_line_is_of_a_known_kind(left: Left, service: CDSService) -> None:
    for line in map(json.loads, left.log.splitlines()):
        assert line["event"] in ("answered", "refused")
        assert set(line.get("applied", ())) | set(line.get("unknown", ())) <= _rules(service)
        assert set(line.get("missing", ())) <= set(service.facts)
        assert line.get("service", service.id) == service.id
        assert line.get("client", ISSUER) == ISSUER
