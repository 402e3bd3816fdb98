"""New content without a restart: the knowledge that calls are answered from, swapped as a whole."""

from __future__ import annotations

import gc
import hashlib
import logging
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from typing import TYPE_CHECKING

from cds_service.errors import KnowledgeError, StartError

if TYPE_CHECKING:
    from cds_service.wire.requests import Knowledge

SECONDS_BETWEEN_LOOKS = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reload went: `state` is "done" or "failed", `problems` is how many there were.

    What the problems are stands in the log: they may name files, which is nothing for a caller.
    """

    state: str
    at: datetime
    problems: int = 0


class CurrentKnowledge:
    """The knowledge of a worker. A call asks for `current` once and keeps what it got.

    `load` makes the knowledge anew, or raises StartError; `clock` gives an aware time.
    """

    def __init__(
        self, knowledge: Knowledge, load: Callable[[], Knowledge], clock: Callable[[], datetime]
    ) -> None:
        self._current = knowledge
        self._load = load
        self._clock = clock
        self._last: Reload | None = None

    @property
    def current(self) -> Knowledge:
        """What a call that begins now is answered from."""
        return self._current

    @property
    def last_reload(self) -> Reload | None:
        """None as long as there was none."""
        return self._last

    def reload(self) -> Reload:
        """Load and check everything, then swap; with any problem the old knowledge stays."""
        try:
            self._current = self._load()
        # Whatever goes wrong in new content, what was served before it can still be served.
        except Exception as error:
            problems = _problems(error)
            self._last = Reload("failed", self._clock(), len(problems))
            logger.error("reload failed, the old content stays\n%s", "\n".join(problems))
        else:
            self._last = Reload("done", self._clock())
            logger.info("reloaded knowledge=%s", self._current.version)
            _keep_out_of_collections()
        return self._last


def _problems(error: Exception) -> tuple[str, ...]:
    if isinstance(error, KnowledgeError):
        return error.problems
    return (str(error),) if isinstance(error, StartError | OSError) else (type(error).__name__,)


def _keep_out_of_collections() -> None:
    """The old knowledge is let go, the new one left alone by the garbage collector from now on."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


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
