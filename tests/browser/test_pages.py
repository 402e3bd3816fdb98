"""The pages in a real browser: nothing refused, nothing too wide, usable by everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import SCHEMES, SIZES, Scheme, fits, opened, serious_faults
from playwright.sync_api import Browser

PAGES = {"about": "/about", "report": "/report?since=30d"}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_window_and_axe_finds_nothing_serious(
    browser: Browser, address: str, pictures: Path, name: str, size: str, scheme: Scheme
) -> None:
    with opened(browser, address + PAGES[name], size, scheme, with_axe=True) as page:
        page.screenshot(path=pictures / f"{name}-{size}-{scheme}.jpg", full_page=True)
        assert fits(page)
        assert serious_faults(page) == []


@pytest.mark.parametrize("where", ["main p:last-of-type", "td:last-child", "summary"])
def test_one_faint_text_among_many_is_found(browser: Browser, address: str, where: str) -> None:
    with opened(browser, address + PAGES["report"], with_axe=True) as page:
        page.locator(where).last.evaluate("each => each.style.color = '#ddd'")
        assert [fault for fault, _ in serious_faults(page)] == ["color-contrast"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_needs_nothing_that_its_policy_refuses(
    browser: Browser, address: str, name: str
) -> None:
    with opened(browser, address + PAGES[name], "wide") as page:
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == "rgb(251, 250, 247)"  # so the style sheet came


def test_the_keyboard_reaches_the_content_and_every_wide_table(
    browser: Browser, address: str
) -> None:
    with opened(browser, address + "/report", "narrow") as page:
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
    with opened(browser, address + "/report", "wide") as page:
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_plots_have_a_name_and_a_description_and_stand_beside_their_table(
    browser: Browser, address: str
) -> None:
    with opened(browser, address + "/report", "wide") as page:
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
