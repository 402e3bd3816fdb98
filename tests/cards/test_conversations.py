"""Every request in fixtures/requests gets the answer of the same name in fixtures/responses.

After a change that is meant to change cards: `make golden`, then read the difference as a
clinician would.
"""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from flask.testing import FlaskClient

from cds_service.knowledge import CDSService

from . import conversations
from .conversations import answer

FIXTURES = conversations.FIXTURES
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))


def test_every_person_has_a_request_and_a_response(service: CDSService) -> None:
    names = {name for name, _ in conversations.requests(service)}
    assert {path.stem for path in REQUESTS} == names
    assert {path.stem for path in (FIXTURES / "responses").glob("*.json")} == names


def test_every_request_is_what_the_templates_ask_for(service: CDSService) -> None:
    for name, request in conversations.requests(service):
        written = orjson.loads((FIXTURES / "requests" / f"{name}.json").read_bytes())
        assert written == request, f"{name}: run `make golden`"


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_a_request_gets_the_response_of_its_name(path: Path, ehr: FlaskClient) -> None:
    expected = orjson.loads((FIXTURES / "responses" / path.name).read_bytes())
    assert answer(ehr, orjson.loads(path.read_bytes())) == expected
