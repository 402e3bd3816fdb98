"""A small HTTP server of our own, which remembers what was asked of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Listener:
    """Answers every GET with `status`, `headers` and `body`; slowly, if told so."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    seconds_a_byte: float = 0.0
    paths: list[str] = field(default_factory=list)
    posted: list[bytes] = field(default_factory=list)
    address: str = ""
    answered: int = 0  # GETs and POSTs whose whole answer was taken

    def __enter__(self) -> Listener:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                listener.paths.append(self.path)
                listener._answer(self)

            def do_POST(self) -> None:
                listener.posted.append(self.rfile.read(int(self.headers["Content-Length"])))
                listener._answer(self)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        try:
            if not self.seconds_a_byte:
                handler.wfile.write(self.body)
            for position in range(len(self.body) if self.seconds_a_byte else 0):
                handler.wfile.write(self.body[position : position + 1])
                handler.wfile.flush()
                time.sleep(self.seconds_a_byte)
            self.answered += 1
        except OSError:
            pass  # the caller went away
