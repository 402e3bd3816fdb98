"""Real servers for tests: the service under granian, and a PostgreSQL of our own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

PROJECT = Path(__file__).parent.parent
SERVE = [sys.executable, "-c", "from cds_service.cli import main; main()", "serve"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(slots=True)
class Service:
    """`cds-service serve` on one address, which it keeps when it is started again."""

    settings: dict[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, in a group of its own, and wait until it answers."""
        ours = {name: text for name, text in os.environ.items() if not name.startswith("CDS_")}
        self.process = subprocess.Popen(
            [*SERVE, "--port", str(self.port)],
            cwd=PROJECT,
            env=ours | {"PYTHONPATH": str(PROJECT)} | self.settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                requests.get(self.address + "/health/live", timeout=60)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        pytest.fail("the service did not start")

    def kill(self, with_signal: int) -> None:
        """Send a signal to the server and all its workers, and wait for the server's end."""
        assert self.process is not None
        os.killpg(self.process.pid, with_signal)
        self.process.wait(60)


@contextmanager
def service(**settings: str) -> Iterator[Service]:
    """The service, started."""
    running = Service(settings, free_port())
    running.start()
    try:
        yield running
    finally:
        if running.process is not None and running.process.poll() is None:
            running.kill(15)


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
