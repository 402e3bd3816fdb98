"""Markdown as HTML that is safe to show: CommonMark without raw HTML, then cleaned."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# The cleaner knows no other elements than these.
_ELEMENTS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "hr", "li", "ol", "p", "pre", "strong", "ul",
}  # fmt: skip


def as_html(text: str) -> str:
    """The text of a card as HTML; links lead only to https and http addresses."""
    import nh3  # late: answers to calls need neither this nor the parser

    return nh3.clean(
        _parser().render(text),
        tags=_ELEMENTS,
        attributes={"a": {"href"}},
        url_schemes={"https", "http"},
        link_rel="noopener noreferrer",
    )


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Markup in a text of the record stays text: the parser escapes it.
    return MarkdownIt("commonmark", {"html": False}).disable("image")
