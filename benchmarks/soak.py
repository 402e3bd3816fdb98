"""`python -m benchmarks.soak`: valid, hostile and slow calls for minutes; nothing may grow.

A server with two workers is started, with clients that sign, a store, and limits on nothing. It
fails on any 5xx, on memory that grows after the warm-up, and on file descriptors that are not
given back.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from uuid import uuid4

import click
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from benchmarks import processes

PROJECT = Path(__file__).parent.parent
SERVICE = "/cds-services/anxiety-leg-weakness"
ISSUER = "https://ehr.example.org"
CONNECTIONS = 8
WORKERS = 2
MOST_GROWTH = 10.0  # MiB a worker, after the warm-up
MOST_LOST = 0.001  # of all calls
MOST_DESCRIPTORS = 8  # more at the end than after the warm-up
_JSON = {"Content-Type": "application/json"}


class Caller:
    """One connection that calls in every way until told to stop."""

    def __init__(self, port: int, key: ec.EllipticCurvePrivateKey, seed: int) -> None:
        self.statuses: Counter[str] = Counter()
        self._port = port
        self._key = key
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

    def _head(self, length: int) -> bytes:
        headers = self._signed(SERVICE) | {"Host": f"127.0.0.1:{self._port}"}
        headers |= {"Content-Length": str(length), "Connection": "close"}
        lines = [f"POST {SERVICE} HTTP/1.1", *(f"{name}: {each}" for name, each in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode()


@contextmanager
def served(key: ec.EllipticCurvePrivateKey) -> Iterator[tuple[int, int]]:
    """The port and the process of a server that answers."""
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "soak"}
    with TemporaryDirectory() as folder, socket.socket() as listener:
        (Path(folder) / "jwks.json").write_bytes(orjson.dumps({"keys": [public]}))
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])
        listener.close()
        ours = {
            "CDS_ISSUERS": f"{ISSUER}={folder}/jwks.json",
            "CDS_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CDS_STORE_URL": f"sqlite:///{folder}/store.sqlite3",
            "CDS_WORKERS": str(WORKERS),
            "CDS_PORT": str(port),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", "from cds_service.cli import main; main()", "serve"],
            cwd=PROJECT,
            env=os.environ | ours,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(port)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise click.ClickException("the server does not start")


def _state(process: int) -> dict[int, tuple[float, int]]:
    """MiB and file descriptors of each worker."""
    workers = [each for each in processes.family(process) if each != process]
    return {
        each: (
            processes.memory_of(each)["Rss"] / 1024,
            len(list(Path(f"/proc/{each}/fd").iterdir())),
        )
        for each in workers
    }


def _call_for(seconds: float, port: int, key: ec.EllipticCurvePrivateKey) -> Counter[str]:
    deadline = time.monotonic() + seconds
    callers = [Caller(port, key, seed) for seed in range(CONNECTIONS)]
    threads = [Thread(target=caller.run, args=(deadline,)) for caller in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(2)  # what was broken off is noticed
    return sum((caller.statuses for caller in callers), Counter())


@click.command()
@click.option("--minutes", default=1.0, show_default=True, help="How long, after the warm-up.")
@click.option("--warm-up", default=0.5, show_default=True, help="Minutes that are not measured.")
def main(minutes: float, warm_up: float) -> None:
    """Soak the service; exit with 1 if anything is out of bounds."""
    if not processes.HAS_PROC:
        raise click.ClickException("memory and descriptors are read from /proc, which is not here")
    key = ec.generate_private_key(ec.SECP256R1())
    with served(key) as (port, process):
        statuses = _call_for(warm_up * 60, port, key)
        before = _state(process)
        statuses += _call_for(minutes * 60, port, key)
        after = _state(process)
    for status, count in sorted(statuses.items()):
        click.echo(f"{status:>24} {count:>8}")
    faults = [f"status {status}" for status in statuses if status.startswith("5")]
    # A server may close a kept connection, after a body that it did not read for one, just when
    # the next call is on its way; clients call again. More than a few are something else.
    lost = sum(count for status, count in statuses.items() if ":" in status)
    if lost > MOST_LOST * statuses.total():
        faults.append(f"{lost} connections lost")
    if len(before) != WORKERS or set(before) != set(after):
        faults.append("a worker came or went")
    for worker in before.keys() & after.keys():
        (memory, files), (memory_after, files_after) = before[worker], after[worker]
        click.echo(
            f"worker: {memory:.1f} MiB after the warm-up, {memory_after:.1f} at the end "
            f"({memory_after - memory:+.1f}); {files} and {files_after} file descriptors"
        )
        if memory_after - memory > MOST_GROWTH:
            faults.append("memory grew")
        if files_after - files > MOST_DESCRIPTORS:
            faults.append("file descriptors are not given back")
    if faults:
        raise click.ClickException(", ".join(faults))
    click.echo("within bounds")


if __name__ == "__main__":
    main()
