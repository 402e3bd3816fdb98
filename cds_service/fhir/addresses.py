"""Which FHIR servers may be called, and to which IP addresses connections may go."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}
# Characters that a base address does not need, or that some servers read as a slash or a dot:
# Java servers cut a segment at its semicolon, so "..;" is ".." to them.
_AMBIGUOUS = re.compile(r"%2e|%2f|%5c|%3b|[?#@;\\]|[^!-~]", re.IGNORECASE)
_QUERY = re.compile(r"[!\"$-\[\]-~]*")  # visible ASCII, without a fragment or a backslash
_SAFE_IN_QUERY = "".join(filter(_QUERY.fullmatch, map(chr, range(128))))
_NAT64 = IPv6Network("64:ff9b::/96")
# Addresses at which clouds give secrets to their machines, besides the link-local ranges; and
# tunnels (Teredo, private NAT64) that hide where a connection goes.
_NEVER = tuple(
    map(
        ip_network,
        ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")
        + ("2001::/32", "64:ff9b:1::/48"),
    )
)


@dataclass(frozen=True, slots=True)
class Base:
    """The base address of a FHIR server; `path` has no slash at its start or end.

    Two are equal if they mean the same address, even if their `text` differs.
    """

    scheme: str
    host: str
    port: int
    path: str
    text: str = field(default="", compare=False)

    @classmethod
    def read(cls, text: str) -> Base | None:
        """The base address in a text; None if it is not one, or has a query or a login."""
        if _AMBIGUOUS.search(text):
            return None
        # The parser of the HTTP client, so that both see the same host in any text.
        try:
            url = parse_url(text)
        except LocationParseError:
            return None
        if url.scheme not in _PORTS or not url.host:
            return None
        port = _PORTS[url.scheme] if url.port is None else url.port
        path = (url.path or "").strip("/")
        return cls(url.scheme, url.host.strip("[]"), port, path, text.rstrip("/"))

    @property
    def is_loopback(self) -> bool:
        """Whether it is written as this machine. Where a name leads is checked in `permits`."""
        return _is_loopback(self.host)

    def holds(self, address: str) -> bool:
        """Whether an address belongs to this server: same origin, at or below the base path."""
        place, _, query = address.partition("?")
        other = Base.read(place)
        if other is None or not _QUERY.fullmatch(query):
            return False
        is_same_origin = replace(other, path=self.path) == self
        return is_same_origin and (not self.path or f"{other.path}/".startswith(f"{self.path}/"))

    def next_page(self, page: str, link: str, resource_type: str) -> tuple[str, bool]:
        """The address on this server for the next link of a page, and whether it led elsewhere.

        Servers behind a proxy may write their internal name. The query of such a link is sent to
        this server, to the type or the base: no request goes elsewhere.
        """
        try:
            place, mark, query = urljoin(page, link).partition("?")
        except ValueError:
            place, mark, query = link.partition("?")
        query = mark + quote(query, safe=_SAFE_IN_QUERY, errors="replace")
        if self.holds(place + query):
            return place + query, False
        if not query.strip("?") or not place.lower().startswith(("http://", "https://")):
            return link, True
        below = f"/{resource_type}" if resource_type in place.split("/") else ""
        return f"{self.text}{below}{query}", True


@dataclass(frozen=True, slots=True)
class AllowList:
    """The FHIR servers of the settings, and the private networks that they may be in.

    With `development`, servers on this machine need no entry.
    """

    servers: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    development: bool = False

    def find(self, fhir_server: str) -> Base | None:
        """The base of a server that may be called: it is listed, and uses https or loopback."""
        base = Base.read(fhir_server)
        if base is None or not (base.scheme == "https" or base.is_loopback):
            return None
        if self.development and base.is_loopback:
            return base
        allowed = filter(None, map(Base.read, self.servers))
        return base if any(server.holds(fhir_server) for server in allowed) else None

    def permits(self, host: str, address: str) -> bool:
        """Whether a connection to `host` may go to this address, which its name resolved to.

        A name that resolves to a private address could give outsiders access to internal systems.
        """
        real = _real(ip_address(address))
        if real.is_loopback:
            return _is_loopback(host)
        if _is_never_a_server(real):
            return False
        return real.is_global or any(real in network for network in self.networks)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _real(address: Address) -> Address:
    """The address that is really reached: IPv6 has several ways to write an IPv4 address."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_never_a_server(address: Address) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
        or getattr(address, "is_site_local", False)
        or any(address in network for network in _NEVER)
    )
