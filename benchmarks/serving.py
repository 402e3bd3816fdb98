"""One server under measurement: started, called over one kept connection, stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from benchmarks import processes
from benchmarks.bodies import Body

PROJECT = Path(__file__).parent.parent
ADDRESS = "/cds-services/anxiety-leg-weakness"
_LONGEST_START = 60.0


class Server:
    """A context in which one of benchmarks.applications is served.

    `name` may have a store behind it: "service sqlite" is the default; `url` is that of another
    store.
    """

    def __init__(self, name: str, *, url: str = "", workers: int = 1) -> None:
        self.name = name
        self._application = name.partition(" ")[0]
        self._workers = workers
        self._url = url
        self.port = _free_port()
        self.start_seconds = 0.0
        self._numbers = count()  # each call is about another patient
        self._folder = TemporaryDirectory(prefix="cds-bench-")

    def __enter__(self) -> Server:
        started = time.perf_counter()
        command = [sys.executable, "-m", "benchmarks.applications", self._application]
        ours = {
            "CDS_STORE_URL": self._url or f"sqlite:///{self._folder.name}/store.sqlite3",
            "CDS_HASH_KEY": "b" * 32,
        }
        self._process = subprocess.Popen(
            [*command, str(self.port), str(self._workers)],
            cwd=PROJECT,
            env=os.environ | ours,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        self._wait(started + _LONGEST_START)
        self.start_seconds = time.perf_counter() - started
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.wait(20)
        self._folder.cleanup()

    def call(self, body: Body) -> bytes:
        """The answer to one call. Raises RuntimeError when it is not 200."""
        return self.call_over(self._connection, body)

    def call_over(self, connection: HTTPConnection, body: Body) -> bytes:
        """The same over another connection, for several calls at once."""
        headers = {"Content-Type": "application/json"}
        content = body.of_another(next(self._numbers))
        connection.request("POST", ADDRESS, content, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise RuntimeError(f"{self.name} answered {body.name} with {response.status}")
        return answer

    def microseconds(self, body: Body, seconds: float) -> float:
        """CPU of the server a call, over as many calls as fit into `seconds`.

        Where there is no /proc it is the time that the client waited.
        """
        calls = 0
        began, cpu = time.perf_counter(), self._cpu()
        while not calls or time.perf_counter() - began < seconds:
            self.call(body)
            calls += 1
        return (self._cpu() - cpu) / calls * 1e6

    def memory(self) -> dict[str, int]:
        """PSS and RSS of the worker in KiB."""
        return processes.memory_of_worker(self._process.pid)

    def _cpu(self) -> float:
        if processes.HAS_PROC:
            return processes.cpu_seconds(self._process.pid)
        return time.perf_counter()

    def _wait(self, deadline: float) -> None:
        while True:
            try:
                self._connection.request("GET", "/cds-services")
                self._connection.getresponse().read()
                return
            except (ConnectionError, OSError):
                self._connection.close()
            if self._process.poll() is not None or time.perf_counter() > deadline:
                self._process.kill()
                raise RuntimeError(f"{self.name} did not start; `cds-service serve` says why")
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
