"""Processes that do the same at the same time, as the workers of a service do when it starts."""

from __future__ import annotations

import subprocess
import sys

_COUNT = 6
# Each is a fork of one that has imported everything, as a worker is; the pipe lets all of them go
# in the same moment.
_SCRIPT = """
import os, sys
{imports}
reading, writing = os.pipe()
workers = []
for _ in range({count}):
    workers.append(os.fork())
    if not workers[-1]:
        os.close(writing)
        os.read(reading, 1)
        os.write(1, (str({work}) + chr(10)).encode())
        os._exit(0)  # to take the interpreter apart would take longer than the work
os.close(writing)
sys.exit(any([os.waitpid(worker, 0)[1] for worker in workers]))
"""


def at_once(imports: str, work: str) -> list[str]:
    """What an expression gives in each of six processes, where it raises nothing."""
    script = _SCRIPT.format(imports=imports, count=_COUNT, work=work)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()
