"""The fixtures of every test: the application around a toy service, and a client of it."""

from __future__ import annotations

import pytest
from builders import NOW, ToyKnowledge, ToyService, toy_knowledge
from flask import Flask
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.settings import Settings


@pytest.fixture
def toy() -> ToyService:
    return ToyService()


@pytest.fixture
def knowledge(toy: ToyService) -> ToyKnowledge:
    return toy_knowledge(toy)


@pytest.fixture
def app(knowledge: ToyKnowledge) -> Flask:
    return create_app(Settings(), knowledge, clock=lambda: NOW)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
