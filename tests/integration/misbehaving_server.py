"""A FHIR server with moods: the first segment of the path says how it misbehaves.

`http://127.0.0.1:PORT/reset` is the base address of a server that resets every connection. Bytes
are written by hand, since no HTTP library would let them be that wrong.
"""

from __future__ import annotations

import gzip
import json
import socket
import socketserver
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from builders import condition, operation_outcome, patient, searchset

TOKEN = "token-for-a-server-in-a-bad-mood"
_REASONS = {200: "OK", 204: "No Content", 302: "Found", 307: "Temporary Redirect"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """The path below the base address."""
        return self.target.partition("?")[0].split("/", 2)[-1]


@dataclass
class MisbehavingServer:
    """Where it listens, what reached it, and where its links and redirects lead away to."""

    port: int
    elsewhere: str = "http://127.0.0.1:9"
    seen: list[Seen] = field(default_factory=list)
    body: Any = None  # what the mood `body` answers

    def base(self, mood: str) -> str:
        return f"http://127.0.0.1:{self.port}/{mood}"


class _Handler(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Server

    def setup(self) -> None:
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)

    def finish(self) -> None:
        self.request.close()

    def handle(self) -> None:
        while head := self._head():
            first, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            pairs = (line.partition(": ") for line in lines)
            headers = {name.lower(): value for name, _, value in pairs}
            self.server.facade.seen.append(Seen(method, target, headers))
            mood = MOODS.get(target.split("/")[1].partition("?")[0], well)
            if not mood(self, self.server.facade.seen[-1]):
                return

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.request.recv(1)
            if not byte:
                return b""
            head += byte
        return head.removesuffix(b"\r\n\r\n")

    def send(self, content: bytes) -> None:
        self.request.sendall(content)

    def answer(
        self, body: Any, status: int = 200, kind: str = "application/fhir+json", **headers: str
    ) -> bool:
        """Send a whole answer; the connection may be used again."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Other')}", f"Content-Type: {kind}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(content)}", "", ""]
        self.send("\r\n".join(lines).encode() + content)
        return True


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    facade: MisbehavingServer
    tls: ssl.SSLContext | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The other side hanging up is what the tests are about."""


@contextmanager
def misbehaving_server(tls: ssl.SSLContext | None = None) -> Iterator[MisbehavingServer]:
    """One that listens while the context lasts, by https if it is given certificates."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.tls = tls
        server.facade = MisbehavingServer(server.server_address[1])
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.facade
        finally:
            server.shutdown()
            thread.join()


# -- moods: each takes the handler and the request, and says whether the connection goes on ------

Mood = Callable[[_Handler, Seen], Any]


def _content(seen: Seen, who: str = "ada") -> Any:
    """What a sound server says of the toy's templates."""
    if seen.path.startswith("Patient/"):
        return patient(id=who)
    if seen.path == "Condition":
        return searchset(condition(subject={"reference": f"Patient/{who}"}))
    return searchset()


def well(handler: _Handler, seen: Seen) -> Any:
    return handler.answer(_content(seen))


def _drip(handler: _Handler, content: bytes) -> None:
    for byte in content:
        handler.send(bytes([byte]))
        time.sleep(0.02)


def _slow_first_byte(handler: _Handler, seen: Seen) -> None:
    handler.request.recv(1)  # until the other side has had enough


def _slow_head(handler: _Handler, seen: Seen) -> None:
    _drip(handler, b"HTTP/1.1 200 OK\r\n" + b"X-Slow: and slower\r\n" * 1000)


def _slow_body(handler: _Handler, seen: Seen) -> None:
    handler.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
    )
    _drip(handler, b" " * 9999)


def _slow_chunks(handler: _Handler, seen: Seen) -> None:
    handler.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    _drip(handler, b"1\r\n \r\n" * 9999)


def _endless_body(handler: _Handler, seen: Seen) -> None:
    handler.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while True:
        handler.send(b"1," * 50_000)


def _next(handler: _Handler, seen: Seen, address: str) -> Any:
    content = _content(seen)
    if content["resourceType"] == "Bundle":
        content = searchset(condition(f"page-{len(handler.server.facade.seen)}"))
        del content["total"]
        content["link"] = [{"relation": "next", "url": address}]
    return handler.answer(content)


def _endless_pages(handler: _Handler, seen: Seen) -> Any:
    number = len(handler.server.facade.seen)
    return _next(handler, seen, f"{seen.target.partition('?')[0]}?page={number}")


def _same_page(handler: _Handler, seen: Seen) -> Any:
    return _next(handler, seen, seen.target)


def _foreign_next(handler: _Handler, seen: Seen) -> Any:
    return _next(handler, seen, f"{handler.server.facade.elsewhere}/well/Condition?page=2")


def _next_above(handler: _Handler, seen: Seen) -> Any:
    return _next(handler, seen, "/well/Condition?page=2")


def _next_around(handler: _Handler, seen: Seen) -> Any:
    return _next(handler, seen, "%2e%2e/well/Condition?page=2")


def _next_nowhere(handler: _Handler, seen: Seen) -> Any:
    return _next(handler, seen, "http://[::1")


def _redirect(status: int) -> Mood:
    def mood(handler: _Handler, seen: Seen) -> Any:
        there = f"{handler.server.facade.elsewhere}/well/{seen.path}"
        return handler.answer({}, status, Location=there)

    return mood


def _status(status: int, **headers: str) -> Mood:
    return lambda handler, seen: handler.answer(operation_outcome(), status, **headers)


def _body(body: Any, kind: str = "application/fhir+json", **headers: str) -> Mood:
    return lambda handler, seen: handler.answer(body, 200, kind, **headers)


def _wrong_type(handler: _Handler, seen: Seen) -> Any:
    return handler.answer(_content(seen), kind="text/plain")


def _truncated(handler: _Handler, seen: Seen) -> None:
    content = json.dumps(_content(seen)).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    handler.send(head.encode() + b"\r\n\r\n" + content[:-5])


def _reset(handler: _Handler, seen: Seen) -> None:
    handler.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _cookie(handler: _Handler, seen: Seen) -> Any:
    return handler.answer(_content(seen), Set_Cookie="session=secret; Path=/")


def _wrong_patient(handler: _Handler, seen: Seen) -> Any:
    return handler.answer(_content(seen, who="eve"))


def _once_busy(handler: _Handler, seen: Seen) -> Any:
    """503 the first time, an answer the second."""
    times = sum(each.target == seen.target for each in handler.server.facade.seen)
    return _status(503, Retry_After="0")(handler, seen) if times == 1 else well(handler, seen)


def _once_busy_by_date(handler: _Handler, seen: Seen) -> Any:
    """The same, with a date, which counts from the server's own clock."""
    times = sum(each.target == seen.target for each in handler.server.facade.seen)
    now = "Sun, 22 Nov 2026 09:30:00 GMT"
    busy = _status(503, Retry_After=now, Date=now)
    return busy(handler, seen) if times == 1 else well(handler, seen)


def _once_lost(handler: _Handler, seen: Seen) -> Any:
    """No answer the first time, one the second."""
    times = sum(each.target == seen.target for each in handler.server.facade.seen)
    return None if times == 1 else well(handler, seen)


def _garbage(handler: _Handler, seen: Seen) -> None:
    handler.send(b"\x16\x03\x01 this is no HTTP\r\n\r\n" * 10)


def _well_but_slow_observations(handler: _Handler, seen: Seen) -> Any:
    return _slow_body(handler, seen) if seen.path == "Observation" else well(handler, seen)


MOODS: dict[str, Mood] = {
    "well": well,
    "slow-first-byte": _slow_first_byte,
    "slow-head": _slow_head,
    "slow-body": _slow_body,
    "slow-chunks": _slow_chunks,
    "endless-body": _endless_body,
    "endless-pages": _endless_pages,
    "same-page": _same_page,
    "foreign-next": _foreign_next,
    "next-above": _next_above,
    "next-around": _next_around,
    "next-nowhere": _next_nowhere,
    "redirect-302": _redirect(302),
    "redirect-307": _redirect(307),
    "status-204": _status(204),
    "status-401": _status(401, WWW_Authenticate="Bearer"),
    "status-403": _status(403),
    "status-404": _status(404),
    "status-429": _status(429),
    "status-429-for-long": _status(429, Retry_After="3600"),
    "status-500": _status(500),
    "status-503-retry": _status(503, Retry_After="0"),
    "html": _body(b"<html><body>Please log in</body></html>", "text/html"),
    "wrong-type": _wrong_type,
    "half-json": _body(b'{"resourceType": "Patient", "id'),
    "truncated": _truncated,
    "body": lambda handler, seen: handler.answer(handler.server.facade.body),
    "null": _body(None),
    "list": _body([patient()]),
    "number": _body(b"1" * 5000),
    "operation-outcome": _body(operation_outcome()),
    "deep": _body(b"[" * 100_000 + b"]" * 100_000),
    "deep-resource": _body(b'{"extension":' * 900 + b"{}" + b"}" * 900),
    "gzip-bomb": _body(gzip.compress(b" " * 50_000_000), Content_Encoding="gzip"),
    "closed": lambda handler, seen: None,
    "reset": _reset,
    "garbage": _garbage,
    "cookie": _cookie,
    "wrong-patient": _wrong_patient,
    "once-busy": _once_busy,
    "once-busy-by-date": _once_busy_by_date,
    "once-lost": _once_lost,
    "slow-observations": _well_but_slow_observations,
}
