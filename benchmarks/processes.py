"""CPU time and memory of a process and its descendants, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
HAS_PROC = (_PROC / "self" / "stat").is_file()


def cpu_seconds(root: int) -> float:
    """User and system time of the process `root` and all its descendants until now."""
    ticks = sum(_stat(each)[1] for each in family(root))
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_seconds_of_children() -> float:
    """User and system time of all processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def seconds_without_core(root: int) -> float:
    """How long the threads of `root` and its descendants have been ready to run and had no core.

    The sum over all threads, from schedstat; 0.0 where the kernel does not keep it.
    """
    threads = (path for each in family(root) for path in _PROC.glob(f"{each}/task/*/schedstat"))
    return sum(_waited(path) for path in threads) / 1e9


def _waited(schedstat: Path) -> int:
    try:
        return int(schedstat.read_text().split()[1])
    except (OSError, IndexError):  # the thread has just ended
        return 0


def memory_of_worker(root: int) -> dict[str, int]:
    """PSS and RSS in KiB of the largest descendant of `root`, which is granian's worker."""
    sizes = [memory_of(each) for each in family(root) if each != root]
    return max(sizes, key=lambda size: size["Rss"], default={"Pss": 0, "Rss": 0})


def family(root: int) -> list[int]:
    """The process and its descendants."""
    parents = {
        int(path.name): _stat(int(path.name))[0] for path in _PROC.iterdir() if path.name.isdigit()
    }
    found = [root]
    for process in found:  # grows while it is read
        found.extend(child for child, parent in parents.items() if parent == process)
    return found


def _stat(process: int) -> tuple[int, int]:
    """The parent and the clock ticks of a process; nothing when it has just ended."""
    try:
        text = (_PROC / str(process) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    # The name, in brackets, may hold spaces: proc(5) numbers what follows it from 3.
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), int(fields[11]) + int(fields[12])


def memory_of(process: int) -> dict[str, int]:
    """PSS and RSS in KiB; nothing when the process has just ended."""
    try:
        lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {"Pss": 0, "Rss": 0}
    named = {line.partition(":")[0]: line.split()[1] for line in lines[1:]}
    return {name: int(named[name]) for name in ("Pss", "Rss")}
