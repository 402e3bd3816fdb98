"""Signing in, in a real browser: by keyboard, at every width, and sent to no other place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from flask import Flask
from pages import SCHEMES, SIZES, Scheme, fits, serious_faults
from playwright.sync_api import Browser, BrowserContext, Page, expect
from seeds import Seeds
from servers import served

from cds_service import create_app
from cds_service.knowledge import Knowledge
from cds_service.readers.sessions import hash_of, new_token
from cds_service.settings import Settings
from cds_service.store import Store, open_store
from cds_service.store.readers import add_reader, revoke_reader

from .conftest import NOW


class Clinic:
    """A service behind a path, whose report needs a login."""

    def __init__(self, store: Store, address: str) -> None:
        self.store = store
        self.address = address

    def token(self, name: str) -> str:
        """The token of a new reader."""
        token = new_token()
        assert add_reader(self.store, name, hash_of(token), NOW)
        return token


@pytest.fixture(scope="module")
def clinic(cards: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.sqlite3'}"
    store = open_store(url)
    assert store is not None
    Seeds(store, NOW - timedelta(hours=2)).card("R51")
    add_reader(store, "nobody", hash_of(new_token()), NOW)
    begun = monotonic()

    def application_at(address: str) -> Flask:
        settings = Settings(store_url=url, public_url=f"{address}/clinic", playground=True)
        return create_app(settings, cards, lambda: NOW + timedelta(seconds=monotonic() - begun))

    with served(application_at) as address:
        yield Clinic(store, f"{address}/clinic")
    store.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1400, "height": 900})
    yield opened
    opened.close()


def _sign_in(page: Page, token: str) -> None:
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_a_reader_signs_in_by_keyboard_reads_and_signs_out(
    clinic: Clinic, context: BrowserContext
) -> None:
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.goto(f"{clinic.address}/report?since=7d")
    assert page.title().startswith("Sign in")
    # The field has the focus.
    page.keyboard.type(clinic.token("ann"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{clinic.address}/report?since=7d")
    assert page.get_by_role("heading", level=1).count() == 1
    page.get_by_role("link", name="ann").click()
    assert "You are signed in as ann" in page.inner_text("h1")
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Your token").wait_for()
    page.goto(f"{clinic.address}/report")
    assert page.title().startswith("Sign in")
    # Chromium only advises that such a form have a field for a user name.
    assert [each for each in complaints if not each.startswith("verbose: ")] == []


def test_an_override_is_found_in_the_report_by_who_signs_in(
    clinic: Clinic, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(f"{clinic.address}/?person=harold")
    card = page.locator(".card").first
    card.get_by_label("Reason to override").select_option("patient-ineligible")
    card.get_by_role("button", name="Override").click()
    expect(card.locator(".sent")).to_contain_text("Your answer is kept")
    page.get_by_role("link", name="Report").click()
    _sign_in(page, clinic.token("fred"))
    expect(page).to_have_url(f"{clinic.address}/report")
    reasons = page.get_by_role("region", name="Why cards were overridden")
    for _ in range(20):  # cards are written a moment after the call
        if reasons.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    row = reasons.get_by_role("row").filter(has_text="Benzodiazepine with an opioid")
    expect(row).to_contain_text("Does not apply to this patient")


def test_no_script_reads_the_cookie_and_no_other_path_gets_it(
    clinic: Clinic, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(f"{clinic.address}/sign-in")
    _sign_in(page, clinic.token("ben"))
    assert page.evaluate("document.cookie") == ""
    [cookie] = context.cookies()
    assert (cookie["path"], cookie["httpOnly"], cookie["sameSite"]) == ("/clinic", True, "Lax")
    assert cookie["expires"] == -1  # it ends with the browser


def test_a_wrong_token_is_said_and_read_aloud(clinic: Clinic, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{clinic.address}/sign-in")
    _sign_in(page, "not this one")
    assert "not known" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Your token").input_value() == ""


def test_a_page_of_another_site_signs_nobody_in(clinic: Clinic, context: BrowserContext) -> None:
    token = clinic.token("cleo")
    page = context.new_page()
    page.goto(f"{clinic.address}/sign-in")
    form = page.locator("input[name=form]").get_attribute("value")
    # Even one that has learned the token of the form; localhost is another site than 127.0.0.1.
    page.goto("data:text/html,<title>elsewhere</title>")
    page.set_content(
        f"<form method=post action='{clinic.address}/sign-in'><input name=form value={form}>"
        f"<input name=token value={token}><button>Win</button></form>"
    )
    page.get_by_role("button", name="Win").click()
    page.get_by_label("Your token").wait_for()
    assert "came from another page" in page.get_by_role("alert").inner_text()
    page.goto(f"{clinic.address}/report")
    assert page.title().startswith("Sign in")


def test_who_is_revoked_is_out_at_the_next_click(clinic: Clinic, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{clinic.address}/report")
    _sign_in(page, clinic.token("dora"))
    page.wait_for_url(f"{clinic.address}/report")
    revoke_reader(clinic.store, "dora", NOW)
    page.get_by_role("link", name="7 days").click()
    assert page.title().startswith("Sign in")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_the_window_and_axe_finds_nothing_serious(
    clinic: Clinic, browser: Browser, pictures: Path, size: str, scheme: Scheme
) -> None:
    width, height = SIZES[size]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        bypass_csp=True,  # axe is a script, which the policy rightly refuses
    )
    page.goto(f"{clinic.address}/sign-in")
    _look_at(page, pictures / f"sign-in-{size}-{scheme}.jpg")
    _sign_in(page, "not this one")
    _look_at(page, pictures / f"sign-in-refused-{size}-{scheme}.jpg")
    _sign_in(page, clinic.token(f"eve-{size}-{scheme}"))
    page.goto(f"{clinic.address}/sign-in")
    _look_at(page, pictures / f"signed-in-{size}-{scheme}.jpg")
    page.close()


def _look_at(page: Page, picture: Path) -> None:
    page.screenshot(path=picture, full_page=True)
    assert fits(page)
    assert serious_faults(page) == []
