"""Where a request comes from: this machine, a page of ours, an address behind a proxy."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from cds_service.readers import proxies
from cds_service.setting_types import is_loopback
from cds_service.web.collaborators import collaborators

_OF_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def is_from_this_machine() -> bool:
    """Whether no other machine has sent this request, as far as it shows."""
    return is_to_this_machine() and is_loopback(request.remote_addr or "")


def is_to_this_machine() -> bool:
    """Whether the address that was opened is localhost, and no proxy is known to be in front.

    A proxy on this machine forwards calls of others, and may hide that: then only the settings
    tell that it is there.
    """
    settings = collaborators().settings
    if settings.public_url and not is_loopback(urlsplit(settings.public_url).hostname or ""):
        return False
    if proxies.is_trusted(request.remote_addr or "", settings.trusted_proxies):
        return False
    if any(name in request.headers for name in _OF_PROXIES):
        return False
    # A proxy that adds no header may keep the host name that was called.
    host = urlsplit(f"//{request.host}").hostname or ""
    return is_loopback(host)


def is_from_our_page() -> bool:
    """Whether a page of this service sent the form, as the browser says: no other page can."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "same-origin"
    # Browsers say the first only over https or to localhost.
    addresses = (request.host_url, collaborators().settings.public_url)
    origin = urlsplit(request.headers.get("Origin", ""))
    return bool(origin.netloc) and origin[:2] in [urlsplit(address)[:2] for address in addresses]


def address_of_visitor() -> str:
    """The address to count attempts by."""
    forwarded = request.headers.get("X-Forwarded-For")
    return proxies.visitor(
        request.remote_addr or "", forwarded, collaborators().settings.trusted_proxies
    )
