"""Workers are asked to load their content anew: a stamp in a folder, or SIGHUP."""

from __future__ import annotations

import hashlib
import signal
import tempfile
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread

from cds_service.current_knowledge import CurrentKnowledge

SECONDS_BETWEEN_LOOKS = 0.5


class Stamp:
    """A small file by which one process asks the workers of this machine to reload a folder.

    It stands for the folder of content, so that every worker that serves it hears of it, whichever
    port it listens on. A signal would reach the first process only.
    """

    def __init__(self, runtime_dir: Path, cards_dir: Path) -> None:
        # Not resolved: a link that now leads to other content is still the same folder.
        folder = hashlib.sha256(str(cards_dir.absolute()).encode()).hexdigest()[:16]
        self._path = runtime_dir / f"reload-{folder}"

    def renew(self) -> None:
        """Ask for a reload. Raises OSError where nothing can be written."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Put in place by renaming: whole or not at all, and never through somebody's link.
        with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as file:
            file.write(token_hex())
        Path(file.name).replace(self._path)

    def read(self) -> str | None:
        """What changes with every request for a reload; None before the first one."""
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError:
            return None


class StampWatch:
    """Looks at a stamp from a thread of its own, and reloads when it was renewed.

    Made before the knowledge is loaded, so that no request for a reload falls in between.
    """

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp
        self._seen = stamp.read()
        self._stopped = Event()

    def start(self, knowledge: CurrentKnowledge) -> None:
        """Look from now on, until `stop` or the end of the process."""
        Thread(target=self._look, args=(knowledge,), name="reload", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look(self, knowledge: CurrentKnowledge) -> None:
        while not self._stopped.wait(SECONDS_BETWEEN_LOOKS):
            renewed = self._stamp.read()
            if renewed not in (None, self._seen):
                self._seen = renewed
                knowledge.reload()


def renew_on_hangup(stamp: Stamp) -> None:
    """Have SIGHUP to this process ask for a reload, on systems that have this signal."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: stamp.renew())
