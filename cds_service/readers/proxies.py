"""What a proxy in front of the service says of a visitor, and when it is believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = Sequence[IPv4Network | IPv6Network]
_PLAIN = re.compile(r"[A-Za-z0-9._@+\\/-]{1,100}")
_WITH_PORT = re.compile(r"(?:\[(.+)\]|([\d.]+))(?::\d+)?")
_OF_ONE_SITE = 64  # bits that one visitor's IPv6 addresses share (RFC 4291, section 2.5.4)
_LONGEST_ADDRESS = 64


def is_trusted(address: str, proxies: Networks) -> bool:
    """Whether this address is one of the proxies; it may have a port."""
    read = _read(address)
    return read is not None and any(read in network for network in proxies)


def reader_named(header: str | None, peer: str, proxies: Networks) -> str | None:
    """The reader that a proxy names in the header of a request from `peer`; None if there is none.

    Two headers arrive as one with a comma: that names nobody. A name that is not plain is hashed,
    because log and audit hold it.
    """
    name = (header or "").strip()
    if not name or "," in name or not is_trusted(peer, proxies):
        return None
    return name if _PLAIN.fullmatch(name) else sha256(name.encode()).hexdigest()[:16]


def visitor(peer: str, forwarded_for: str | None, proxies: Networks) -> str:
    """Whom to count a request for: the last address in X-Forwarded-For that is no proxy.

    What stands before it was written by the visitor. A port does not count. The addresses of one
    visitor in IPv6 are many: their network of 64 bits comes back. Where a proxy wrote no address,
    all that comes from `peer` counts together.
    """
    passed = [text.strip() for text in (forwarded_for or "").split(",") if text.strip()]
    for address in reversed([*passed, peer]):
        if not is_trusted(address, proxies):
            return _counted(address) or _counted(peer) or peer[:_LONGEST_ADDRESS]
    return _counted(peer) or peer[:_LONGEST_ADDRESS]


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """The address without a port and a zone, an IPv4 one in IPv6 as what it is; None for others."""
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _counted(text: str) -> str:
    """The address, or in IPv6 its network; "" if this is no address."""
    address = _read(text)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _OF_ONE_SITE), strict=False))
    return str(address) if address else ""
