"""What a proxy in front of the service says of a visitor, and when it is believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address

Networks = Sequence[IPv4Network | IPv6Network]
_PLAIN = re.compile(r"[A-Za-z0-9._@+\\/-]{1,100}")
_LONGEST_ADDRESS = 64


def is_trusted(address: str, proxies: Networks) -> bool:
    """Whether this address is one of the proxies; an IPv4 address may be written as IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    real = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(real in network for network in proxies)


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
    """The address of whoever sent the request: the last one in X-Forwarded-For that is no proxy.

    What stands before it was written by the visitor.
    """
    passed = [text.strip() for text in (forwarded_for or "").split(",") if text.strip()]
    for address in reversed([*passed, peer]):
        if not is_trusted(address, proxies):
            return address[:_LONGEST_ADDRESS]
    return peer
