"""The pages of the knowledge in a real browser: they fit, can be used by everybody, and printed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from pages import SCHEMES, SIZES, Scheme, fits, opened, serious_faults
from playwright.sync_api import Browser
from servers import served

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.settings import Settings

from .conftest import NOW

REQUESTS = Path(__file__).parent.parent.parent / "fixtures" / "requests"
SERVICE = "/knowledge/anxiety-leg-weakness"
PAGES = {
    "contents": "/knowledge",
    "search": "/knowledge?q=potassium",
    "rule": f"{SERVICE}/rules/R26/1.1.0",
    "rule-es": f"{SERVICE}/rules/R51?lang=es",
    "cause-zh": f"{SERVICE}/causes/C1?lang=zh-Hans",
    "class": f"{SERVICE}/classes/D1",
    "fact": f"{SERVICE}/facts/oxygen_saturation",
    "value-set": "/knowledge/value-sets/potassium",
    "sources": "/knowledge/sources",
    "attributes": f"{SERVICE}/source-attributes",
}


@pytest.fixture
def linked_address(cards: Knowledge, tmp_path: Path) -> Iterator[str]:
    """Where a service listens that knows its public address, with a path prefix and a store."""

    def application_at(address: str) -> Flask:
        store = f"sqlite:///{tmp_path / 'store.sqlite3'}"
        settings = Settings(store_url=store, public_url=f"{address}/deep")
        return create_app(settings, cards, lambda: NOW)

    with served(application_at) as address:
        yield f"{address}/deep"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_window_and_axe_finds_nothing_serious(
    browser: Browser, address: str, pictures: Path, name: str, size: str, scheme: Scheme
) -> None:
    with opened(browser, address + PAGES[name], size, scheme, with_axe=True) as page:
        page.screenshot(path=pictures / f"knowledge-{name}-{size}-{scheme}.jpg", full_page=True)
        assert fits(page)
        assert serious_faults(page) == []


def test_a_search_by_keyboard_leads_to_a_rule(browser: Browser, address: str) -> None:
    with opened(browser, address + "/knowledge?lang=es") as page:
        page.get_by_role("searchbox").focus()
        page.keyboard.type("R20")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="R20 Cola de caballo").click()
        assert page.get_by_role("heading", level=1).text_content() == "R20 Cola de caballo"
        assert page.locator("html").get_attribute("lang") == "es"


def test_a_page_is_printed_without_what_is_only_for_the_screen(
    browser: Browser, address: str, pictures: Path
) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(address + PAGES["rule"])
    page.emulate_media(media="print")
    for unneeded in ("header", "footer", ".beside"):
        assert not page.locator(unneeded).first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    table = page.locator(".scroll").last
    assert table.evaluate("each => each.scrollHeight <= each.clientHeight + 1")
    printed = page.pdf(path=pictures / "rule.pdf", format="A4")
    assert printed.startswith(b"%PDF")
    page.close()


def _wait_for(url: str) -> None:
    """Until the page is there: cards are stored a moment after they are sent."""
    for _ in range(100):
        try:
            urlopen(url).close()
            return
        except HTTPError as error:
            error.close()
            time.sleep(0.1)


def test_the_page_of_a_card_opens_from_its_link_in_one_click(
    browser: Browser, linked_address: str, pictures: Path
) -> None:
    request = Request(
        f"{linked_address}/cds-services/anxiety-leg-weakness",
        (REQUESTS / "noor-panic-hyperventilation.json").read_bytes(),
        {"Content-Type": "application/json"},
    )
    with urlopen(request) as response:
        [card] = json.load(response)["cards"]
    [link] = card["links"]
    assert urlsplit(link["url"]).path.startswith("/deep/cards/")
    _wait_for(link["url"])
    for size in SIZES:
        with opened(browser, link["url"], size, with_axe=True) as page:
            page.screenshot(path=pictures / f"knowledge-card-{size}.jpg", full_page=True)
            assert fits(page)
            assert "What an information card rests on" in str(page.title())
            assert Axe().run(page).response["violations"] == []
            page.get_by_role("link", name="M01 Slow breathing").first.click()
            assert page.get_by_role("heading", level=1).text_content() == "Slow breathing"
