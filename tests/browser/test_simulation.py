"""The pages that a simulation writes, in a real browser: on a screen, and printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import run
from pages import SCHEMES, Scheme, fits, serious_faults
from playwright.sync_api import Browser

pytest.importorskip("duckdb", reason="simulate: the extra `simulate` is not installed")

PEOPLE = Path(__file__).parent.parent.parent / "fixtures" / "patients"
WIDTHS = (400, 1400)
CASES = 8


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulation")
    key = "a key of thirty-two characters at least"
    review = ("--review", str(CASES), "--today", "2026-11-22")
    run("simulate", PEOPLE, *review, "--out", out, CDS_STORE_URL="none", CDS_HASH_KEY=key)
    return out


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["index.html", "review/cases.html"])
def test_a_page_fits_the_window_and_axe_finds_nothing_serious(
    browser: Browser, result: Path, name: str, width: int, scheme: Scheme
) -> None:
    page = browser.new_page(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,  # axe is a script
    )
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto((result / name).as_uri())
    assert fits(page)
    assert serious_faults(page) == []
    page.close()
    assert complaints == []


def test_a_page_asks_for_nothing_from_elsewhere(browser: Browser, result: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((result / "index.html").as_uri())
    page.close()
    assert asked == [(result / "index.html").as_uri()]


def test_each_case_begins_on_a_page_of_its_own(browser: Browser, result: Path) -> None:
    page = browser.new_page()
    page.goto((result / "review" / "cases.html").as_uri())
    printed = page.pdf(format="A4")
    page.close()
    sheets = len(re.findall(rb"/Type\s*/Page\b(?!s)", printed))
    assert CASES <= sheets <= CASES + 3
