"""How workers are asked to reload their content: a stamp file, SIGHUP, or a row in the store."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import sys
import tempfile
from contextlib import suppress
from math import inf
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from cds_service.current_knowledge import CurrentKnowledge
from cds_service.errors import StoreUnavailable

if TYPE_CHECKING:
    from cds_service.store.replicas import Replicas

SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_NOTES = 10
_LONGEST_STAMP = 100  # bytes
# Windows has neither pipes in folders nor these flags.
_READ_CAREFULLY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


class Stamp:
    """A small file by which one process asks the workers on this machine to reload a folder.

    It belongs to the folder of content, so it reaches every worker that serves this folder, on
    every port. A signal would reach only the first process.
    """

    def __init__(self, runtime_dir: Path, cards_dir: Path) -> None:
        # Not resolved: a link that now points to other content is still the same folder.
        folder = hashlib.sha256(str(cards_dir.absolute()).encode()).hexdigest()[:16]
        self._path = runtime_dir / f"reload-{folder}"

    def renew(self) -> None:
        """Ask for a reload. Raises OSError if the file cannot be written, or others may too."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._path.parent.stat(follow_symlinks=False)
        if not stat.S_ISDIR(folder.st_mode) or _may_be_written_by_others(folder):
            raise PermissionError(
                f"{self._path.parent} belongs to others, or others may write there"
            )
        # Written by renaming: complete or not at all, and never through a link of somebody else.
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as file:
            file.write(token_hex())
        Path(file.name).replace(self._path)

    def read(self) -> str | None:
        """The text of the stamp, new with every request for a reload; None before the first.

        Anybody can write to the folder for temporary files, so a pipe, a link or a file of another
        user is not read.
        """
        try:
            descriptor = os.open(self._path, _READ_CAREFULLY)
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or _may_be_written_by_others(status):
                return None
            return file.read(_LONGEST_STAMP).decode("ascii", "replace")


def _may_be_written_by_others(status: os.stat_result) -> bool:
    """Whether a user other than us or the administrator owns it or may write it."""
    if not hasattr(os, "geteuid"):
        return False
    is_trusted = status.st_uid in (0, os.geteuid()) or os.geteuid() == 0
    return not is_trusted or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


class ReloadWatch:
    """Looks for requests in its own thread, and reloads when there is a new one.

    Create it before the knowledge is loaded, so that no request is missed. `last_request` is the
    last one in the store then.
    """

    def __init__(self, stamp: Stamp, last_request: int | None = None) -> None:
        self._stamp = stamp
        self._seen = stamp.read()
        self._last_request = last_request
        self._stopped = Event()
        self._thread: Thread | None = None

    def start(self, knowledge: CurrentKnowledge, replicas: Replicas | None = None) -> None:
        """Watch from now on, until `stop` or the end of the process; with `replicas`, look for
        requests in the store too, and say there what this worker serves."""
        self._thread = Thread(
            target=self._look, args=(knowledge, replicas), name="reload", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; a look that has begun is over when this returns."""
        self._stopped.set()
        if self._thread:
            self._thread.join()

    def _look(self, knowledge: CurrentKnowledge, replicas: Replicas | None) -> None:
        noted_at = -inf
        while not self._stopped.wait(SECONDS_BETWEEN_LOOKS):
            if self._is_asked(replicas):
                knowledge.reload()
                noted_at = -inf
            if replicas and monotonic() - noted_at >= _SECONDS_BETWEEN_NOTES:
                noted_at = monotonic()
                with suppress(StoreUnavailable):
                    replicas.note(knowledge.current.version)

    def _is_asked(self, replicas: Replicas | None) -> bool:
        """Whether there is a request that is not answered yet. While the store is down, requests
        in it wait."""
        stamp, number = self._stamp.read(), None
        if replicas and not replicas.store.has_just_failed:
            with suppress(StoreUnavailable):
                number = replicas.last_request()
        is_asked = stamp not in (None, self._seen) or number not in (None, self._last_request)
        self._seen, self._last_request = stamp or self._seen, number or self._last_request
        return is_asked


def renew_on_hangup(stamp: Stamp) -> None:
    """Let SIGHUP to this process ask for a reload, on systems that have this signal."""

    def renew(*_: object) -> None:
        try:
            stamp.renew()
        except OSError as error:  # the service continues with the old content
            print(f"No reload: {error}", file=sys.stderr)

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, renew)
