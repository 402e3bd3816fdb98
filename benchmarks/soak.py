"""`python -m benchmarks.soak`: valid, hostile, slow and idle clients for minutes.

A server with two workers is started, with clients that sign, a store, and limits on nothing. It
fails on any 5xx, on memory that grows after the warm-up, on file descriptors that are not given
back, on a call of a client that behaves that takes over a second (p99.9), and on a critical card
that is missing. Memory is compared by its mean in the first and the last third of the time: a body
of 14 MB that is being read takes ten times its size.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from threading import Thread

import click
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from benchmarks import processes
from benchmarks.soak_clients import ISSUER, Caller, Idle, WellBehaved

PROJECT = Path(__file__).parent.parent
CALLERS = 8  # hostile and slow ones
BEHAVE = 4
IDLE = 488
MOST_SECONDS = 1.0  # p99.9 of those that behave
WORKERS = 2
MOST_GROWTH = 10.0  # MiB a worker, after the warm-up
MOST_LOST = 0.001  # of all calls
_EVERY = 5.0  # seconds, until memory is looked at again
_PRINTED = 6  # every so many looks
MOST_DESCRIPTORS = 8  # more at the end than after the warm-up


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


Memory = dict[int, list[float]]  # MiB of each worker, look by look


def _call_for(
    seconds: float, port: int, process: int, key: ec.EllipticCurvePrivateKey
) -> tuple[Counter[str], list[float], Memory]:
    """The statuses of all calls, the seconds of those that behave, sorted, and the memory."""
    deadline = time.monotonic() + seconds
    behave = [WellBehaved(port, key, seed) for seed in range(BEHAVE)]
    callers = [*behave, *(Caller(port, key, seed) for seed in range(CALLERS))]
    runs = [*(caller.run for caller in callers), Idle(port, IDLE).run]
    threads = [Thread(target=run, args=(deadline,)) for run in runs]
    for thread in threads:
        thread.start()
    memory: Memory = defaultdict(list)
    for look in count(1):
        time.sleep(_EVERY)
        if time.monotonic() > deadline:
            break
        sizes = {worker: size for worker, (size, _) in _state(process).items()}
        for worker, size in sizes.items():
            memory[worker].append(size)
        if look % _PRINTED == 0:
            shown = ", ".join(f"{size:.0f}" for size in sizes.values())
            click.echo(f"MiB of the workers: {shown}", err=True)
    for thread in threads:
        thread.join()
    time.sleep(2)  # what was broken off is noticed
    statuses = sum((caller.statuses for caller in callers), Counter())
    return statuses, sorted(second for client in behave for second in client.seconds), memory


def _at_both_ends(sizes: list[float]) -> tuple[float, float]:
    """The mean of the first third and of the last third."""
    third = max(1, len(sizes) // 3)
    return mean(sizes[:third]), mean(sizes[-third:])


@click.command()
@click.option("--minutes", default=1.0, show_default=True, help="How long, after the warm-up.")
@click.option("--warm-up", default=0.5, show_default=True, help="Minutes that are not measured.")
def main(minutes: float, warm_up: float) -> None:
    """Soak the service; exit with 1 if anything is out of bounds."""
    if not processes.HAS_PROC:
        raise click.ClickException("memory and descriptors are read from /proc, which is not here")
    key = ec.generate_private_key(ec.SECP256R1())
    with served(key) as (port, process):
        statuses, _, _ = _call_for(warm_up * 60, port, process, key)
        before = _state(process)
        measured, seconds, sizes = _call_for(minutes * 60, port, process, key)
        statuses += measured
        after = _state(process)
    for status, times in sorted(statuses.items()):
        click.echo(f"{status:>24} {times:>8}")
    slowest = seconds[int(len(seconds) * 0.999)]
    click.echo(
        f"{len(seconds)} calls that behave: median {seconds[len(seconds) // 2] * 1000:.0f} ms, "
        f"p99.9 {slowest * 1000:.0f} ms, longest {seconds[-1] * 1000:.0f} ms"
    )
    faults = [f"status {status}" for status in statuses if status.split()[-1].startswith("5")]
    if slowest > MOST_SECONDS:
        faults.append("a client that behaves had to wait")
    if statuses["silent"]:
        faults.append("a critical card was missing")
    # A server may close a kept connection, after a body that it did not read for one, just when
    # the next call is on its way; clients call again. More than a few are something else.
    lost = sum(times for status, times in statuses.items() if ":" in status)
    if lost > MOST_LOST * statuses.total():
        faults.append(f"{lost} connections lost")
    if len(before) != WORKERS or set(before) != set(after):
        faults.append("a worker came or went")
    for worker in before.keys() & after.keys():
        memory, memory_after = _at_both_ends(sizes[worker])
        files, files_after = before[worker][1], after[worker][1]
        click.echo(
            f"worker: {memory:.1f} MiB in the first third, {memory_after:.1f} in the last "
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
