"""DuckDB with a bounded memory: what does not fit is put on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from duckdb import (
    DuckDBPyConnection,
    Error,
    InvalidInputException,
    IOException,
    OutOfMemoryException,
)

from cds_service.errors import SimulationFailed

__all__ = ["DuckDBPyConnection", "NotReadable", "connect", "quoted"]

NotReadable = (InvalidInputException, IOException)  # what a faulty file raises


@contextmanager
def connect(
    temporary: Path, memory: str, *, threads: int, path: Path | None = None
) -> Iterator[DuckDBPyConnection]:
    """A database in `path`, or in memory; `memory` is its bound, such as "1GB".

    It loads no extension and fetches nothing by itself. `temporary` is a folder for what does not
    fit. Raises SimulationFailed where memory or the disk is not enough.
    """
    configuration: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory,
        "threads": threads,
        "temp_directory": str(temporary),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect(str(path or ":memory:"), config=configuration) as connection:
            connection.execute("SET enable_progress_bar = false")
            yield connection
    except OutOfMemoryException:
        raise SimulationFailed(f"{memory} of memory are not enough; give more") from None
    except Error as error:
        # The text of the error may hold a line of a record.
        raise SimulationFailed(f"the data cannot be grouped: {type(error).__name__}") from None


def quoted(text: object) -> str:
    """A text as a literal of SQL, for statements that take no parameters."""
    return "'" + str(text).replace("'", "''") + "'"
