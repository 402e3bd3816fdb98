"""The audit: one row for each call, and its form as FHIR AuditEvents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders import HOOK_INSTANCE, NOW, TOY, ToyKnowledge, cds_request, feedback
from commands import run
from fhir.resources.R4B.auditevent import AuditEvent
from flask import Flask
from tokens import ISSUER, PUBLIC_URL, Signer, write_jwks

from cds_service import create_app
from cds_service.setting_types import Issuer
from cds_service.settings import Settings
from cds_service.store import CallRow, open_store
from cds_service.store.calls import calls
from cds_service.telemetry.audit import audit_events
from cds_service.web.collaborators import EXTENSION

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.sqlite3'}"


@pytest.fixture
def audited(knowledge: ToyKnowledge, tmp_path: Path, store_url: str) -> Iterator[Flask]:
    settings = Settings(
        store_url=store_url,
        hash_key=KEY,
        issuers=(Issuer(ISSUER, str(write_jwks(tmp_path, "ES384"))),),
        public_url=PUBLIC_URL,
    )
    application = create_app(settings, knowledge, lambda: NOW)
    yield application
    application.extensions[EXTENSION].memory.writer.close()
    application.extensions[EXTENSION].memory.store.close()


def rows(application: Flask) -> list[CallRow]:
    here = application.extensions[EXTENSION].memory
    here.writer.flush()
    return list(calls(here.store))


def test_every_call_leaves_one_row(audited: Flask) -> None:
    client, signer = audited.test_client(), Signer()
    client.get("/cds-services", headers=signer.bearer(f"{PUBLIC_URL}/cds-services"))
    client.post(TOY, json=cds_request(), headers=signer.bearer(PUBLIC_URL + TOY))
    client.post(TOY, json=cds_request(prefetch={}), headers=signer.bearer(PUBLIC_URL + TOY))
    client.post(
        f"{TOY}/feedback",
        json={"feedback": [feedback()]},
        headers=signer.bearer(f"{PUBLIC_URL}{TOY}/feedback"),
    )
    client.post(TOY, json=cds_request())
    for address in ("/health/ready", "/metrics", "/nowhere"):
        client.get(address)
    client.options(TOY)
    kept = rows(audited)
    assert [(row.status, row.service, row.hook, row.client) for row in kept] == [
        (200, "", "discovery", ISSUER),
        (200, "toy", "patient-view", ISSUER),
        (412, "toy", "patient-view", ISSUER),
        (204, "toy", "feedback", ISSUER),
        (401, "", "", None),
    ]
    answered = kept[1]
    assert (answered.at, answered.knowledge_version, answered.cards) == (NOW, "toy-1", 1)
    assert list(answered.applied) == ["R1"] and list(answered.unknown) == ["R2"]
    assert list(answered.missing) == ["laboratory"] and answered.milliseconds > 0


def test_a_hook_instance_is_kept_as_a_keyed_hash(audited: Flask) -> None:
    client = audited.test_client()
    for _ in range(2):
        client.post(TOY, json=cds_request(), headers=Signer().bearer(PUBLIC_URL + TOY))
    first, second = rows(audited)
    assert first.hook_instance_hash == second.hook_instance_hash
    assert len(first.hook_instance_hash) == 64 and HOOK_INSTANCE not in str(first)


def row(at: datetime = NOW, status: int = 200, client: str | None = ISSUER) -> CallRow:
    return CallRow(
        at=at,
        client=client,
        service="toy",
        hook="patient-view",
        hook_instance_hash="0" * 64,
        knowledge_version="toy-1",
        status=status,
        cards=1,
        applied=["R1", "R3"],
        milliseconds=1.5,
    )


@pytest.mark.parametrize("status, outcome", [(200, "0"), (204, "0"), (412, "4"), (500, "8")])
def test_a_row_is_a_valid_audit_event(status: int, outcome: str) -> None:
    (text,) = audit_events([row(status=status)])
    event = AuditEvent.model_validate_json(text)
    assert (event.outcome, event.recorded) == (outcome, NOW)
    details = {each.type: each.valueString for each in event.entity[0].detail}
    assert details["rulesApplied"] == "R1 R3" and details["status"] == str(status)
    assert event.agent[0].who.identifier.value == ISSUER


def test_a_row_with_nearly_nothing_is_valid_too() -> None:
    bare = CallRow(NOW, "", "", "", "v", 401, 0.1)
    (text,) = audit_events([bare])
    event = json.loads(text)
    assert event["agent"] == [{"name": "not asked", "requestor": True}]
    assert "subtype" not in event


def test_the_command_writes_one_event_a_line_from_a_day_on(store_url: str) -> None:
    store = open_store(store_url)
    assert store is not None
    from cds_service.store import Writer

    writer = Writer(store)
    for days in range(3):
        writer.put(row(at=NOW + timedelta(days=days)))
    writer.close()
    store.close()
    exported = run("audit", "export", CDS_STORE_URL=store_url).output
    assert len([json.loads(line) for line in exported.splitlines()]) == 3
    since = (NOW + timedelta(days=1)).strftime("%Y-%m-%d")
    exported = run("audit", "export", "--since", since, CDS_STORE_URL=store_url).output
    assert len(exported.splitlines()) == 2


def test_the_command_says_when_nothing_was_kept() -> None:
    result = run("audit", "export", fails=True, CDS_STORE_URL="none")
    assert result.exit_code == 1 and "CDS_STORE_URL" in result.output
