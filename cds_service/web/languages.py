"""The language of an answer: the one that the caller asks for, if the service has it."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from cds_service.knowledge import CDSService
from cds_service.settings import Settings

# Content names Chinese by its script; callers may name the country, or neither.
_SCRIPTS = {
    **dict.fromkeys(("zh", "zh-cn", "zh-sg", "zh-my"), "zh-hans"),
    **dict.fromkeys(("zh-tw", "zh-hk", "zh-mo"), "zh-hant"),
}
_LONGEST_HEADER = 1000  # browsers send fewer than a hundred characters


def preferred_language(service: CDSService, settings: Settings) -> str:
    """The language of the service that the caller prefers (RFC 4647, lookup)."""
    return language_among(service.languages, settings)


def language_among(languages: Sequence[str], settings: Settings) -> str:
    """The one of these languages that the caller prefers; without any, the first."""
    by_tag = {language.lower(): language for language in languages}
    header = request.headers.get("Accept-Language", "")[:_LONGEST_HEADER]
    for wanted, quality in parse_accept_header(header, LanguageAccept):
        tag = _SCRIPTS.get(wanted.lower(), wanted.lower())
        while quality > 0 and tag:
            if tag in by_tag:
                return by_tag[tag]
            tag = tag.rpartition("-")[0]
    return by_tag.get(settings.language.lower(), languages[0])


def in_language(response: Response, language: str) -> Response:
    """The response with its language in the headers, so that caches know it too."""
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response
