"""Shadow mode and watched rules with a store: kept and reported, and not sent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from databases import sqlite_with_schema
from flask.testing import FlaskClient

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings
from cds_service.web.collaborators import EXTENSION

TODAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
CALL = "/cds-services/anxiety-leg-weakness"
REQUESTS = Path(__file__).parent.parent.parent / "fixtures" / "requests"
HAROLD = orjson.loads((REQUESTS / "harold-lorazepam-oxycodone.json").read_bytes())


@pytest.fixture
def service_with(cards: Knowledge, tmp_path: Path) -> Any:
    """A client of the real service with a store and these settings."""

    url = sqlite_with_schema(tmp_path / "store.sqlite3")

    def make(**settings: Any) -> FlaskClient:
        app = create_app(Settings(store_url=url, **settings), cards, lambda: TODAY)
        client: FlaskClient = app.test_client()
        return client

    return make


def _cards(client: FlaskClient) -> list[dict[str, Any]]:
    response = client.post(CALL, json=HAROLD)
    assert response.status_code == 200
    client.application.extensions[EXTENSION].memory.writer.flush()
    sent: list[dict[str, Any]] = response.get_json()["cards"]
    return sent


def _rules(client: FlaskClient) -> dict[str, dict[str, Any]]:
    # The clock stands still, and the report tells what was before now.
    client.application.extensions[EXTENSION].memory.writer.flush()
    here = client.application.extensions[EXTENSION]
    later = create_app(
        here.settings, here.knowledge.current, lambda: TODAY.replace(hour=13)
    ).test_client()
    return {
        each["rule"].partition("/")[2]: each
        for each in later.get("/report.json").get_json()["rules"]
    }


def test_shadow_mode_keeps_what_it_does_not_send(service_with: Any) -> None:
    client = service_with(mode="shadow")
    assert _cards(client) == []
    rule = _rules(client)["R51"]
    assert (rule["shown"], rule["shadow"]) == (0, 1)


def test_in_live_mode_the_same_cards_are_sent_and_counted_as_shown(service_with: Any) -> None:
    client = service_with()
    assert "R51" in str(_cards(client))
    rule = _rules(client)["R51"]
    assert (rule["shown"], rule["shadow"]) == (1, 0)


def test_a_watched_rule_is_kept_and_reported_and_the_others_are_sent(service_with: Any) -> None:
    client = service_with(shadow_rules=("R51",))
    sent = _cards(client)
    assert sent and "R51" not in str([card["summary"] for card in sent])
    rules = _rules(client)
    assert (rules["R51"]["shown"], rules["R51"]["shadow"]) == (0, 1)
    assert rules["R51"]["switch"] == "shadow"
    assert any(rule["shown"] for rule in rules.values())


def test_a_disabled_rule_is_neither_sent_nor_kept(service_with: Any) -> None:
    client = service_with(disabled_rules=("R51",))
    _cards(client)
    rule = _rules(client)["R51"]
    assert (rule["shown"], rule["shadow"], rule["switch"]) == (0, 0, "disabled")
