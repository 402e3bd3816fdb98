"""Debian's chromium, driven by Playwright, on a service whose store holds a month of cards."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from seeds import Seeds
from servers import served

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings
from cds_service.store import open_store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
# The one without windows opens a page in a third of the time.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
# Nothing that calls home, and no sandbox, which containers do not let it have.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Rule, how often a day it is shown, and how often its cards are overridden and accepted.
_HABITS = (
    ("R28", 6, 0.2, 0.3),
    ("R12", 6, 0.25, 0.3),
    ("R51", 2, 0.82, 0.05),
    ("R52", 2, 0.6, 0.2),
    ("R61", 1, 0.9, 0.1),
    ("R20", 1, 0.1, 0.7),
)
_REASONS = ("patient-ineligible", "risk-benefit-ratio", "action-completed", "rule-wrong", "mine")


def seed_a_month(seeds: Seeds) -> None:
    """Cards as they might come in thirty days; always the same."""
    chance = random.Random(7)
    for day in range(30):
        at = NOW - timedelta(days=29 - day, hours=3)
        for _ in range(4 if at.weekday() > 4 else 12):
            seeds.call(at=at, cards=chance.choice((0, 0, 1, 1, 2)))
        for rule, often, overridden, accepted in _HABITS:
            for _ in range(chance.randint(0, often)):
                card = seeds.card(rule, "R06" if rule == "R61" else "R05", at=at)
                drawn = chance.random()
                if drawn < overridden:
                    seeds.override(card, chance.choice(_REASONS), at=at)
                elif drawn < overridden + accepted:
                    seeds.accept(card, at=at)
        seeds.card("R53", at=at, state=chance.choice(("shadow", "suppressed")))
    seeds.override(seeds.card("R20"), "data-wrong")
    seeds.override("b0000000-0000-4000-8000-000000000000", "rule-wrong")


@pytest.fixture(scope="session")
def address(cards: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the service listens, with a switched and a watched rule."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.sqlite3'}"
    store = open_store(url)
    assert store is not None
    seed_a_month(Seeds(store, NOW - timedelta(hours=2)))
    settings = Settings(store_url=url, disabled_rules=("R54",), shadow_rules=("R53",))
    with served(lambda _: create_app(settings, cards, lambda: NOW)) as address:
        yield address
    store.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(
            "pages in a browser: there is no chromium (apt install chromium-headless-shell)"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are left for whoever wants to look."""
    return tmp_path_factory.mktemp("screenshots")
