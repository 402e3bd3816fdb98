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
_LOOK = "data-one-of-its-look"
# Two elements look the same if they and all around them have the same tags, classes and colours.
_MARK_ONE_OF_EACH_LOOK = f"""() => {{
    const looks = new Map([[null, ""]]), seen = new Set();
    for (const element of document.querySelectorAll("*")) {{
        const style = getComputedStyle(element);
        const look = [
            looks.get(element.parentElement), element.tagName, element.getAttribute("class"),
            element.disabled, style.color, style.backgroundColor, style.opacity, style.fontSize,
            style.fontWeight,
        ].join(" ");
        looks.set(element, look);
        const nodes = [...element.childNodes];
        const isText = nodes.some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if ((isText || "value" in element) && !seen.has(look)) {{
            seen.add(look);
            element.setAttribute("{_LOOK}", "");
        }}
    }}
}}"""
_RUN = f"""() => {{
    axe.configure({{rules: [{{id: "color-contrast", selector: "[{_LOOK}]"}}]}});
    return axe.run({{resultTypes: ["violations"]}}).then(found => found.violations);
}}"""


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
    """What axe finds that is serious: the id of each rule, and the first places.

    Whether text stands out from what is behind it takes most of the time, and is the same for all
    that look the same: it is asked of one of each.
    """
    page.evaluate(Axe().axe_script)
    page.evaluate(_MARK_ONE_OF_EACH_LOOK)
    return [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
        for each in page.evaluate(_RUN)
        if each["impact"] in ("serious", "critical")
    ]
