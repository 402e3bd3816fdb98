"""The clients of the soak: one that behaves and is timed, others that are hostile, slow or idle."""

from __future__ import annotations

import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import NAMESPACE_URL, uuid4, uuid5

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec

PROJECT = Path(__file__).parent.parent
SERVICE = "/cds-services/anxiety-leg-weakness"
ISSUER = "https://ehr.example.org"
# A critical card on any day: it names no result that grows old.
DANGER = "samuel-potassium-2-3"
_JSON = {"Content-Type": "application/json"}


class Caller:
    """One connection that calls in every way until told to stop."""

    def __init__(self, port: int, key: ec.EllipticCurvePrivateKey, seed: int) -> None:
        self.statuses: Counter[str] = Counter()
        self._port = port
        self._key = key
        self._open: list[socket.socket] = []
        self._random = random.Random(seed)
        self._bodies = [
            path.read_bytes() for path in (PROJECT / "fixtures/requests").glob("*.json")
        ]
        self._ways: list[Callable[[], None]] = [
            *[self._valid] * 12,
            *[self._feedback] * 2,
            self._discovery,
            self._without_token,
            self._garbage,
            self._hostile,
            self._deep,
            self._broken_off,
            self._slow,
            self._stalled,
            self._large,
            self._forged,
            self._unknown,
            self._metrics,
        ]

    def run(self, deadline: float) -> None:
        """Call until `deadline` of time.monotonic."""
        self._connect()
        while time.monotonic() < deadline:
            way = self._random.choice(self._ways)
            try:
                way()
            except (OSError, HTTPException) as error:
                self.statuses[f"{way.__name__.strip('_')}: {type(error).__name__}"] += 1
                self._connect()
        self._connection.close()

    def _connect(self) -> None:
        self._connection = HTTPConnection("127.0.0.1", self._port, timeout=30)

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        response.read()
        self.statuses[str(response.status)] += 1

    def _signed(self, path: str) -> dict[str, str]:
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": f"http://127.0.0.1:{self._port}{path}",
            "iat": now,
            "exp": now + timedelta(seconds=60),
            "jti": str(uuid4()),
        }
        token = jwt.encode(claims, self._key, "ES256", {"kid": "soak"})
        return _JSON | {"Authorization": f"Bearer {token}"}

    def _valid(self) -> None:
        self._call("POST", SERVICE, self._random.choice(self._bodies), self._signed(SERVICE))

    def _feedback(self) -> None:
        entry = {
            "card": str(uuid4()),
            "outcome": "overridden",
            "outcomeTimestamp": datetime.now(UTC).isoformat(),
        }
        path = f"{SERVICE}/feedback"
        self._call("POST", path, orjson.dumps({"feedback": [entry]}), self._signed(path))

    def _discovery(self) -> None:
        self._call("GET", "/cds-services", None, self._signed("/cds-services"))

    def _without_token(self) -> None:
        self._call("POST", SERVICE, self._random.choice(self._bodies), _JSON)

    def _garbage(self) -> None:
        self._call("POST", SERVICE, self._random.randbytes(2000), self._signed(SERVICE))

    def _hostile(self) -> None:
        """A fixture with a piece of it replaced."""
        body = self._random.choice(self._bodies)
        at = self._random.randrange(len(body))
        piece = self._random.choice([b"null", b"[]", b"9e999", b'"\\ud800"', b"\x00", b"{}", b""])
        self._call("POST", SERVICE, body[:at] + piece + body[at + 20 :], self._signed(SERVICE))

    def _deep(self) -> None:
        self._call("POST", SERVICE, b"[" * 60_000 + b"]" * 60_000, self._signed(SERVICE))

    def _unknown(self) -> None:
        path = f"/cds-services/{uuid4()}"
        self._call("POST", path, b"{}", self._signed(path))

    def _metrics(self) -> None:
        self._call("GET", "/metrics", None, {})

    def _broken_off(self) -> None:
        """Announce a body, and go away in the middle of it."""
        with socket.create_connection(("127.0.0.1", self._port), 5) as connection:
            connection.sendall(self._head(100_000) + b'{"hook": ')
        self.statuses["broken off"] += 1

    def _slow(self) -> None:
        """A whole call, in pieces with pauses."""
        body = self._random.choice(self._bodies)
        with socket.create_connection(("127.0.0.1", self._port), 30) as connection:
            connection.sendall(self._head(len(body)))
            for start in range(0, len(body), len(body) // 5 + 1):
                connection.sendall(body[start : start + len(body) // 5 + 1])
                time.sleep(0.1)
            self.statuses[connection.recv(64).split(b" ")[1].decode()] += 1

    def _stalled(self) -> None:
        """Announce a body and say no more; another connection goes on."""
        connection = socket.create_connection(("127.0.0.1", self._port), 5)
        connection.sendall(self._head(100_000) + b'{"hook": ')
        self._open = [*self._open[-5:], connection]
        self.statuses["stalled"] += 1

    def _large(self) -> None:
        """As large as a body may be and not counted among the large ones, of empty objects."""
        body = b'{"prefetch": {"x": [' + b"{}," * 300_000 + b"{}]}}"
        self._call("POST", SERVICE, body, self._signed(SERVICE))

    def _forged(self) -> None:
        """Answers to cards that were never sent, under a uuid that anybody can compute."""
        entries = [
            {
                "card": str(uuid5(NAMESPACE_URL, f"{uuid4()}/samuel/R10")),
                "outcome": "overridden",
                "overrideReason": {"reason": {"code": "action-completed"}},
                "outcomeTimestamp": (datetime.now(UTC) + timedelta(days=25)).isoformat(),
            }
            for _ in range(20)
        ]
        path = f"{SERVICE}/feedback"
        self._call("POST", path, orjson.dumps({"feedback": entries}), self._signed(path))

    def _head(self, length: int) -> bytes:
        headers = self._signed(SERVICE) | {"Host": f"127.0.0.1:{self._port}"}
        headers |= {"Content-Length": str(length), "Connection": "close"}
        lines = [f"POST {SERVICE} HTTP/1.1", *(f"{name}: {each}" for name, each in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()


class WellBehaved(Caller):
    """A client that opens the chart of somebody in danger again and again, and is timed.

    `seconds` are those of each call; a call without its critical card counts as `silent`.
    """

    def __init__(self, port: int, key: ec.EllipticCurvePrivateKey, seed: int) -> None:
        super().__init__(port, key, seed)
        self.seconds: list[float] = []
        self._request = orjson.loads((PROJECT / f"fixtures/requests/{DANGER}.json").read_bytes())
        self._ways = [self._open_the_chart]

    def _open_the_chart(self) -> None:
        self._request["hookInstance"] = str(uuid4())
        began = time.monotonic()
        self._connection.request(
            "POST", SERVICE, orjson.dumps(self._request), self._signed(SERVICE)
        )
        response = self._connection.getresponse()
        answer = response.read()
        self.seconds.append(time.monotonic() - began)
        self.statuses[f"behaves {response.status}"] += 1
        if b'"indicator":"critical"' not in answer:
            self.statuses["silent"] += 1
        time.sleep(0.05)


class Idle:
    """So many connections that say nothing; each that the server closes is opened again."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count

    def run(self, deadline: float) -> None:
        """Keep them open until `deadline` of time.monotonic."""
        connections: list[socket.socket] = []
        while time.monotonic() < deadline:
            while len(connections) < self._count:
                connection = socket.create_connection(("127.0.0.1", self._port), 5)
                connection.setblocking(False)
                connections.append(connection)
            time.sleep(0.5)
            connections = [each for each in connections if _is_open(each)]
        for connection in connections:
            connection.close()


def _is_open(connection: socket.socket) -> bool:
    try:
        if connection.recv(1):
            return True
    except BlockingIOError:
        return True
    except OSError:
        pass
    connection.close()
    return False
