"""Reads requests from the network before a thread works on them: slow clients occupy no thread.

granian calls `Receiver` through RSGI, its own interface, where an open connection needs no thread.
Requests that are refused here still go through the application, so that every error has the same
form, the same log line and the same CORS headers.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from granian.rsgi import Scope

from cds_service.errors import BodyTooLarge, BodyTooLate, CDSError, TooManyLargeBodies
from cds_service.garbage import uncollected

REFUSED = "cds_service.refused"  # in the WSGI environ: the error to answer with
LARGE = 1024 * 1024  # bytes; smaller bodies are not counted
LARGEST_PAGE_BODY = 2 * LARGE  # the forms of pages; calls of CDS Clients may be larger
_HEALTH = "/health"
_CALLS = "/cds-services"  # also below the path of CDS_PUBLIC_URL

_Respond = Callable[[int, list[tuple[str, str]], bytes], None]  # status, headers, content


@dataclass(slots=True)
class _Body:
    """A body, how large it may be, and how much of the room for large bodies it uses."""

    most: int
    content: bytes = b""
    held: int = 0


class Receiver:
    """A WSGI application behind RSGI.

    `seconds` is the time a body may take to arrive, `most_bytes` the largest size of a body,
    `large_bodies` how many bodies of that size may be handled at once, and `threads` how many calls
    are answered at once. Health checks have a thread of their own. Large bodies have one too, where
    they wait for each other: reading 16 MiB stops everything else for a quarter of a second. Large
    forms of pages wait in another one, so that no call of a CDS Client waits for a page.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        seconds: float,
        most_bytes: int,
        large_bodies: int,
        threads: int,
    ) -> None:
        self._application = application
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._room = large_bodies * most_bytes
        self._calls = ThreadPoolExecutor(threads, thread_name_prefix="call")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="large")
        self._pages = ThreadPoolExecutor(1, thread_name_prefix="page")
        self._health = ThreadPoolExecutor(1, thread_name_prefix="health")

    async def __rsgi__(self, scope: Scope, protocol: Any) -> None:
        """Answer one request."""
        is_call = _CALLS in scope.path
        body = _Body(self._most_bytes if is_call else min(LARGEST_PAGE_BODY, self._most_bytes))
        try:
            refused = await self._read(scope, protocol, body)
            threads = self._threads(scope.path, body)
            environ = _environ(scope, body.content, refused)
            body.content = b""  # the environ has it now
            answer = self._answer_large if body.held else self._answer
            run = asyncio.get_running_loop().run_in_executor
            await run(threads, answer, environ, protocol.response_bytes)
        finally:
            self._room += body.held

    def _threads(self, path: str, body: _Body) -> ThreadPoolExecutor:
        if path.startswith(_HEALTH):
            return self._health
        if not body.held:
            return self._calls
        return self._large if _CALLS in path else self._pages

    def _answer_large(self, environ: dict[str, Any], respond: _Respond) -> None:
        with uncollected():
            self._answer(environ, respond)

    def _answer(self, environ: dict[str, Any], respond: _Respond) -> None:
        """Respond what the application answers, by the protocol of PEP 3333.

        The thread does so itself: the loop of the worker would first have to get its turn.
        """
        status, headers = "", list[tuple[str, str]]()
        written: list[bytes] = []

        def start_response(line: str, fields: list[tuple[str, str]], _: Any = None) -> Any:
            nonlocal status, headers
            status, headers = line, fields
            return written.append

        parts = self._application(environ, start_response)
        try:
            written.extend(parts)
        finally:
            if close := getattr(parts, "close", None):
                close()
        respond(int(status.partition(" ")[0]), headers, b"".join(written))

    async def _read(self, scope: Scope, protocol: Any, body: _Body) -> CDSError | None:
        """Read the body. Returns an error if it is too large, too late or one too many."""
        declared = scope.headers.get("content-length") or ""
        length = int(declared) if declared.isdecimal() else None
        try:
            self._hold(body, length or 0)
            async with asyncio.timeout(self._seconds):
                if length is not None:
                    body.content = await protocol()  # at once: no step of the loop for each chunk
                    return None
                content = bytearray()
                async for chunk in protocol:
                    content += chunk
                    self._hold(body, len(content))
                body.content = bytes(content)
        except TimeoutError:
            return BodyTooLate("The body did not arrive in time.")
        except CDSError as error:
            return error
        return None

    def _hold(self, body: _Body, size: int) -> None:
        """Reserve room for a body of `size` bytes. Raises BodyTooLarge or TooManyLargeBodies."""
        if size > body.most:
            raise BodyTooLarge("The body is larger than this service accepts.")
        more = size - body.held if size > LARGE else 0
        if more > self._room:
            raise TooManyLargeBodies("Too many large bodies at once; send it again later.")
        if more > 0:
            self._room -= more
            body.held += more


def _environ(scope: Scope, body: bytes, refused: CDSError | None) -> dict[str, Any]:
    """The WSGI environ (PEP 3333) of a request; a header that comes twice keeps both values."""
    client, _, client_port = scope.client.rpartition(":")
    server, _, server_port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": server_port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "REMOTE_PORT": client_port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        REFUSED: refused,
    }
    for name, text in scope.headers.items():
        if "_" in name:  # it would look like the same name with hyphens, which a proxy has set
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","  # RFC 9113, section 8.2.3
        environ[key] = f"{environ[key]}{separator}{text}" if key in environ else text
    # The length is the declared one, or the call is refused; chunked bodies declare none.
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
