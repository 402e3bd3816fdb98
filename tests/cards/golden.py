"""Write fixtures/requests and fixtures/responses again: `make golden`, then read the difference."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from cds_service import create_app
from cds_service.knowledge import load
from cds_service.settings import Settings

from .conversations import FIXTURES, HASH_KEY, answer, requests

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def write() -> None:
    """Replace every golden file by what the service does now."""
    knowledge = load(FIXTURES.parent / "cards")
    ehr = create_app(
        Settings(store_url="none", hash_key=HASH_KEY), knowledge, clock=lambda: NOW
    ).test_client()
    for folder in ("requests", "responses"):
        for path in (FIXTURES / folder).glob("*.json"):
            path.unlink()
    for name, request in requests(knowledge.services["anxiety-leg-weakness"]):
        (FIXTURES / "requests" / f"{name}.json").write_bytes(_written(request))
        (FIXTURES / "responses" / f"{name}.json").write_bytes(_written(answer(ehr, request)))


def _written(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    write()
