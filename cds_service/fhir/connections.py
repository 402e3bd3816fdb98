"""HTTP connections that go only to permitted addresses, with a time limit for the whole answer."""

from __future__ import annotations

import http.client
import io
import logging
import socket
from collections.abc import Callable, Iterator
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.connection import create_connection

Permits = Callable[[str, str], bool]  # a host and one of its addresses


class AddressBarred(Exception):
    """The name of a server has no address that we may connect to."""


def session(permits: Permits, *, connections: int, authorities: Path | None) -> requests.Session:
    """A pooled session without cookies that ignores the environment.

    `authorities` is a file of certificates to trust instead of those of the HTTP client.
    """
    pooled = requests.Session()
    # No proxies and no netrc: the token only goes to the server of the call.
    pooled.trust_env = False
    pooled.verify = str(authorities) if authorities else True
    pooled.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(permits, connections)
    pooled.mount("http://", adapter)
    pooled.mount("https://", adapter)
    # Its messages hold whole addresses, and these identify the patient.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    return pooled


class _Adapter(HTTPAdapter):
    def __init__(self, permits: Permits, connections: int) -> None:
        self._permits = permits
        super().__init__(pool_connections=connections, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": partial(_pool, HTTPConnectionPool, partial(_Connection, self._permits)),
            "https": partial(_pool, HTTPSConnectionPool, partial(_TLSConnection, self._permits)),
        }


def _pool(
    kind: type[HTTPConnectionPool], connection: Any, *args: Any, **kwargs: Any
) -> HTTPConnectionPool:
    pool = kind(*args, **kwargs)
    pool.ConnectionCls = connection
    return pool


class _Until(io.RawIOBase):
    """The bytes of a socket, until a deadline.

    The timeout of a socket starts again with every byte; this deadline does not.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, seconds: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = perf_counter() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        seconds = self._deadline - perf_counter()
        if seconds <= 0:
            raise TimeoutError("the time for this answer is up")
        self._sock.settimeout(seconds)
        return cast("int | None", cast(Any, self._raw).readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """Headers and body together take no longer than the timeout that the socket has now."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        seconds = sock.gettimeout()
        if seconds is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_Until(raw, sock, seconds))


class _Connection(HTTPConnection):
    """Connects to the address that was checked: the name could resolve differently next time."""

    response_class = _Response

    def __init__(self, permits: Permits, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._permits = permits

    def _new_conn(self) -> socket.socket:
        deadline = perf_counter() + float(self.timeout or 0)
        failure: OSError | UnicodeError = OSError("it has no address")
        try:
            for address in self._permitted_addresses():
                seconds = deadline - perf_counter()
                if seconds <= 0:
                    raise ConnectTimeoutError(self, "the time to connect is up")
                try:
                    return create_connection(
                        (address, self.port), seconds, socket_options=self.socket_options
                    )
                except OSError as error:
                    failure = error
        except (OSError, UnicodeError) as error:  # the name has no address, or cannot have one
            failure = error
        raise NewConnectionError(self, type(failure).__name__) from failure

    def _permitted_addresses(self) -> Iterator[str]:
        entries = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys(str(address[0]) for *_, address in entries)
        permitted = [address for address in addresses if self._permits(self.host, address)]
        if addresses and not permitted:
            raise AddressBarred
        return iter(permitted)


class _TLSConnection(_Connection, HTTPSConnection):
    """The same with TLS; the certificate must match the name."""
