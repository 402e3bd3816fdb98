"""Real servers for tests: the service under granian, any application, a PostgreSQL of our own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from wsgiref.types import WSGIApplication

import pytest
import requests
from werkzeug.serving import make_server

from benchmarks import processes

PROJECT = Path(__file__).parent.parent
FIXTURES = PROJECT / "fixtures"
SERVE = [sys.executable, "-c", "from cds_service.cli import main; main()", "serve"]
_LONGEST = 120  # seconds until a start or an end is a fault, however busy the machine is


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(settings: dict[str, str]) -> dict[str, str]:
    """Our own environment, with these settings of the service and no others."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("CDS_")}
    return ours | {"PYTHONPATH": str(PROJECT)} | settings


@dataclass(slots=True)
class Service:
    """`cds-service serve` on one address, which it keeps when it is started again."""

    settings: dict[str, str]
    output: Path  # what it prints goes there: a pipe that nobody reads would stop it
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] = field(init=False)
    cpu_seconds: float = field(init=False, default=0.0)  # of all its processes until it answered

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def workers(self) -> set[int]:
        """The processes of its workers, from /proc."""
        return set(processes.family(self.process.pid)) - {self.process.pid}

    def printed(self) -> str:
        return self.output.read_text()

    def start(self) -> None:
        """Start it, and wait until every worker answers."""
        self.launch()
        self.wait_for_workers(int(self.settings.get("CDS_WORKERS", 1)))
        self._wait_until_it_listens()
        assert requests.get(self.address + "/health/live", timeout=_LONGEST).status_code == 200
        if processes.HAS_PROC:
            self.cpu_seconds = processes.cpu_seconds(self.process.pid)

    def launch(self) -> None:
        """Start it in a group of its own, and wait for nothing."""
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*SERVE, "--port", str(self.port)],
                cwd=PROJECT,
                env=environment(self.settings),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many workers have said, since the start, that they listen."""
        self.wait_until_printed(r"(?m)Started worker-\d+$", count)

    def wait_until_printed(self, pattern: str, times: int = 1) -> None:
        deadline = time.monotonic() + _LONGEST
        while len(re.findall(pattern, self.printed())) < times:
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"it has not printed {pattern}: {self.printed()}")
            time.sleep(0.02)

    def _wait_until_it_listens(self) -> None:
        """On a busy machine that may be a moment after it has said that it does."""
        deadline = time.monotonic() + _LONGEST
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                time.sleep(0.02)
        pytest.fail(f"it does not listen: {self.printed()}")

    def stop(self) -> int:
        """Ask it to stop; the status with which it ends."""
        self.process.terminate()
        try:
            return self.process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill it and all its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_LONGEST)


@contextmanager
def service(**settings: str) -> Iterator[Service]:
    """The service, started, and stopped afterwards."""
    with tempfile.TemporaryDirectory(prefix="cds-service-") as folder:
        running = Service(settings, Path(folder) / "output")
        try:
            running.start()
            yield running
        finally:
            if running.process.poll() is None:
                running.stop()


@contextmanager
def served(application_at: Callable[[str], WSGIApplication]) -> Iterator[str]:
    """The address where an application listens, which is made for that address."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    address = f"http://127.0.0.1:{server.server_port}"
    server.app = application_at(address)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refused(*options: str, **settings: str) -> tuple[int, str]:
    """How `serve` ends with these options and settings: its status, and all that it printed."""
    ended = subprocess.run(
        [*SERVE, *options],
        cwd=PROJECT,
        env=environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST,
    )
    return ended.returncode, ended.stdout


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL of our own, that a test may kill."""

    folder: Path
    programs: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        """One of its programs, as a user that it lets run it: never as root."""
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, timeout=120)

    def start(self) -> None:
        log = str(self.folder / "log")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-o", options, "start")

    def start_again(self) -> None:
        """Start it after it was killed; the last of its processes may take a while to be gone."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return self.start()
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def processes(self) -> list[int]:
        """The postmaster, then every other process of the cluster."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]


def postgresql_programs() -> Path | None:
    """Where initdb is, if it is anywhere."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    elsewhere = shutil.which("initdb")
    if found:
        return found[0].parent
    return Path(elsewhere).parent if elsewhere else None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of our own, started, and gone afterwards."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL that is killed: there is no initdb")
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL that is killed: it does not run as root, and there is no runuser")
    folder = Path(tempfile.mkdtemp(prefix="cds-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    made = Cluster(folder, programs, free_port())
    try:
        made.run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-N")
        made.start()
        yield made
        made.run("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
