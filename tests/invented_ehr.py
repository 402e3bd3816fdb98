"""A FHIR server over HTTP whose manners a test writes as one function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from builders import operation_outcome

JSON = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived: the path below the base address, and its parameters."""

    path: str
    parameters: Mapping[str, str]
    target: str
    token: str | None

    def __contains__(self, parameter: str) -> bool:
        return parameter in self.parameters

    def values(self, parameter: str) -> list[str]:
        return self.parameters.get(parameter, "").split(",")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a status and a body, which is JSON unless it is bytes already."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def refused(status: int, code: str = "processing") -> Reply:
    outcome = operation_outcome()
    outcome["issue"][0]["code"] = code
    return Reply(outcome, status)


@dataclass
class InventedEHR:
    """Where it listens, and what was asked of it."""

    port: int
    asked: list[Asked] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def paths(self) -> list[str]:
        """The paths that were asked, below the base address."""
        return [each.path for each in self.asked]


@contextmanager
def invented_ehr(answer: Callable[[Asked, InventedEHR], Any]) -> Iterator[InventedEHR]:
    """One that listens while the context lasts; `answer` gives a Reply, or the body of a 200."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or each answer waits for 40 ms with its body

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
            path = parts.path.removeprefix("/fhir").strip("/")
            asked = Asked(path, parameters, self.path, self.headers.get("Authorization"))
            ehr.asked.append(asked)
            reply = answer(asked, ehr)
            reply = reply if isinstance(reply, Reply) else Reply(reply)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, text in {"Content-Type": JSON, **reply.headers}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the tests look at what was asked."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        ehr = InventedEHR(server.server_address[1])
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield ehr
        finally:
            server.shutdown()
            thread.join()
