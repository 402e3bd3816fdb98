"""The same knowledge and application as in tests/cards."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import Knowledge, Service, load
from cds_service.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def cards() -> Knowledge:
    return load(Path(__file__).parent.parent.parent / "cards")


@pytest.fixture(scope="session")
def service(cards: Knowledge) -> Service:
    return cards.services["anxiety-leg-weakness"]


@pytest.fixture(scope="session")
def ehr(cards: Knowledge) -> FlaskClient:
    return create_app(Settings(), cards, clock=lambda: NOW).test_client()
