"""The language of an answer: what the caller asks for among what the service has."""

from __future__ import annotations

from flask import Response, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from cds_service.knowledge import CDSService
from cds_service.settings import Settings

# Where a tag says the country or nothing, words are named by their script.
_SCRIPTS = {
    **dict.fromkeys(("zh", "zh-cn", "zh-sg", "zh-my"), "zh-hans"),
    **dict.fromkeys(("zh-tw", "zh-hk", "zh-mo"), "zh-hant"),
}
_LONGEST_HEADER = 1000  # browsers send fewer than a hundred characters


def preferred_language(service: CDSService, settings: Settings) -> str:
    """The language that the caller likes best among those of the service (RFC 4647, lookup)."""
    languages = {language.lower(): language for language in service.languages}
    header = request.headers.get("Accept-Language", "")[:_LONGEST_HEADER]
    for wanted, quality in parse_accept_header(header, LanguageAccept):
        tag = _SCRIPTS.get(wanted.lower(), wanted.lower())
        while quality > 0 and tag:
            if tag in languages:
                return languages[tag]
            tag = tag.rpartition("-")[0]
    return languages.get(settings.language.lower(), service.languages[0])


def in_language(response: Response, language: str) -> Response:
    """The response with its language in the header, for caches too."""
    response.headers["Content-Language"] = language
    response.vary.add("Accept-Language")
    return response
