"""Markdown as HTML that is safe to show: CommonMark without raw HTML, then cleaned."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

# Markup in a text of the record stays text: the parser escapes it, and the cleaner knows no other
# elements than these.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable("image")
_ELEMENTS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "hr", "li", "ol", "p", "pre", "strong", "ul",
}  # fmt: skip


def as_html(text: str) -> str:
    """The text of a card as HTML; links lead only to https and http addresses."""
    return nh3.clean(
        _MARKDOWN.render(text),
        tags=_ELEMENTS,
        attributes={"a": {"href"}},
        url_schemes={"https", "http"},
        link_rel="noopener noreferrer",
    )
