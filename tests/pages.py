"""A page in a real browser: opened at a size and in a scheme, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = {"wide": (1400, 900), "narrow": (400, 800)}


@contextmanager
def opened(
    browser: Browser,
    url: str,
    size: str = "wide",
    scheme: Scheme = "light",
    *,
    with_axe: bool = False,
    without_script: bool = False,
    complaints_allowed: int = 0,
) -> Iterator[Page]:
    """The page, with no more complaints on its console than allowed.

    What the policy of the page refuses is a complaint, and so is a form that the service refuses.
    axe is a script, which the policy rightly refuses, so that it is laid aside for it.
    """
    width, height = SIZES[size]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        bypass_csp=with_axe,
        java_script_enabled=not without_script,
    )
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        response = page.goto(url)
        assert response is not None and response.status == 200
        yield page
        assert len(complaints) <= complaints_allowed, complaints
    finally:
        page.close()


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def serious_faults(page: Page) -> list[Any]:
    """What axe finds that is serious: the id of each rule, and the first places."""
    violations = Axe().run(page).response["violations"]
    return [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
        for each in violations
        if each["impact"] in ("serious", "critical")
    ]
