"""The pages in a real browser: nothing refused, nothing too wide, usable by everybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

SIZES = {"wide": (1400, 900), "narrow": (400, 800)}
PAGES = {"about": "/about", "report": "/report?since=30d"}
SCHEMES = ("light", "dark")


@contextmanager
def _opened(
    browser: Browser, url: str, size: str, scheme: str = "light", *, with_axe: bool = False
) -> Iterator[Page]:
    """The page, without an error on its console: what its policy refuses would be one.

    axe is a script, which the policy rightly refuses, so that it is laid aside for it.
    """
    width, height = SIZES[size]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=with_axe,
    )
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        response = page.goto(url)
        assert response is not None and response.status == 200
        yield page
        assert complaints == []
    finally:
        page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_window_and_axe_finds_nothing_serious(
    browser: Browser, address: str, pictures: Path, name: str, size: str, scheme: str
) -> None:
    with _opened(browser, address + PAGES[name], size, scheme, with_axe=True) as page:
        page.screenshot(path=pictures / f"{name}-{size}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        violations = Axe().run(page).response["violations"]
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    told = [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in serious]
    assert told == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_that_its_policy_refuses(
    browser: Browser, address: str, name: str
) -> None:
    with _opened(browser, address + PAGES[name], "wide") as page:
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(251, 250, 247)"  # so the style sheet came


def test_the_keyboard_reaches_the_content_and_every_wide_table(
    browser: Browser, address: str
) -> None:
    with _opened(browser, address + "/report", "narrow") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
        page.locator("summary").press("Enter")  # what is folded away is reached when it is opened
        page.locator("h1").click()
        reached = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        tables = page.eval_on_selector_all(
            ".scroll", "all => all.map(each => each.getAttribute('aria-label'))"
        )
        assert len(tables) >= 4 and set(tables) <= reached


def test_focus_can_be_seen(browser: Browser, address: str) -> None:
    with _opened(browser, address + "/report", "wide") as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_plots_have_a_name_and_a_description_and_stand_beside_their_table(
    browser: Browser, address: str
) -> None:
    with _opened(browser, address + "/report", "wide") as page:
        pictures = page.get_by_role("img")
        assert pictures.count() == 3
        for number in range(3):
            picture = pictures.nth(number)
            labelled = str(picture.get_attribute("aria-labelledby")).split()
            texts = [page.locator(f"#{each}").text_content() for each in labelled]
            assert len(texts) == 2 and all(texts)
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.locator("table caption").count() == page.locator("table").count()
        assert page.locator("th:not([scope])").count() == 0


def test_the_policy_lets_no_script_run(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address + "/report")
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.evaluate(
        "document.body.appendChild(Object.assign(document.createElement('script'),"
        " {textContent: 'window.ran = true'}))"
    )
    assert page.evaluate("window.ran === undefined")
    assert any("Content Security Policy" in text for text in refused)
    page.close()
