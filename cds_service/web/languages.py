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
_LONGEST_TAG = 100


def preferred_language(service: CDSService, settings: Settings, chosen: str = "") -> str:
    """The language of the service that the caller prefers; see `language_among`."""
    return language_among(service.languages, settings, chosen)


def language_among(languages: Sequence[str], settings: Settings, chosen: str = "") -> str:
    """The one of these languages that was chosen, or else that the caller prefers.

    Without any it is the one of the settings, or the first.
    """
    header = request.headers.get("Accept-Language", "")[:_LONGEST_HEADER]
    accepted = parse_accept_header(header, LanguageAccept)
    wanted = [chosen, *(tag for tag, quality in accepted if quality > 0), settings.language]
    return next(filter(None, (looked_up(tag, languages) for tag in wanted)), languages[0])


def looked_up(tag: str, languages: Sequence[str]) -> str:
    """The one of these languages that a tag means (RFC 4647, lookup); "" if it means none."""
    by_tag = {language.lower(): language for language in languages}
    tag = tag[:_LONGEST_TAG].strip().lower()
    tag = _SCRIPTS.get(tag, tag)
    while tag and tag not in by_tag:
        tag = tag.rpartition("-")[0]
    return by_tag.get(tag, "")


def in_language(response: Response, language: str) -> Response:
    """The response with its language in the headers, so that caches know it too."""
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response
