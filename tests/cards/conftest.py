"""The project's own knowledge, and the application that serves it on a fixed day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import Knowledge, Service, load
from cds_service.settings import Settings

PROJECT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def cards() -> Knowledge:
    return load(PROJECT / "cards")


@pytest.fixture(scope="session")
def service(cards: Knowledge) -> Service:
    return cards.services["anxiety-leg-weakness"]


@pytest.fixture(scope="session")
def ehr(cards: Knowledge) -> FlaskClient:
    """A CDS Client of the real service on the day of the fixtures."""
    return create_app(Settings(), cards, clock=lambda: NOW).test_client()
