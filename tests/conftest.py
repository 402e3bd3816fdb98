"""The fixtures of every test: the application around a toy service, and around the real one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from builders import NOW, ToyKnowledge, ToyService, toy_knowledge
from flask import Flask
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import Knowledge, Service, load
from cds_service.settings import Settings


@pytest.fixture(scope="session", autouse=True)
def _no_traces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a service keeps by default, it keeps in a folder of this session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def toy() -> ToyService:
    return ToyService()


@pytest.fixture
def knowledge(toy: ToyService) -> ToyKnowledge:
    return toy_knowledge(toy)


@pytest.fixture
def app(knowledge: ToyKnowledge) -> Flask:
    return create_app(Settings(store_url="none"), knowledge, clock=lambda: NOW)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def cards() -> Knowledge:
    """The project's own knowledge."""
    return load(Path(__file__).parent.parent / "cards")


@pytest.fixture(scope="session")
def service(cards: Knowledge) -> Service:
    return cards.services["anxiety-leg-weakness"]


@pytest.fixture(scope="session")
def ehr(cards: Knowledge) -> FlaskClient:
    """A CDS Client of the real service on the day of the fixture people."""
    today = datetime(2026, 11, 22, 12, tzinfo=UTC)
    return create_app(Settings(store_url="none"), cards, clock=lambda: today).test_client()
