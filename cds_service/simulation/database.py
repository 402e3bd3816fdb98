"""DuckDB with a bounded memory: what does not fit is put on disk."""

from __future__ import annotations

from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, InvalidInputException, IOException

__all__ = ["DuckDBPyConnection", "NotReadable", "connect", "quoted"]

NotReadable = (InvalidInputException, IOException)  # what a faulty file raises


def connect(
    temporary: Path, memory: str, *, threads: int, path: Path | None = None
) -> DuckDBPyConnection:
    """A database in `path`, or in memory; `memory` is its bound, such as "1GB".

    It loads no extension and fetches nothing by itself. `temporary` is a folder for what does not
    fit.
    """
    connection = duckdb.connect(
        str(path or ":memory:"),
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(temporary),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET enable_progress_bar = false")
    return connection


def quoted(text: object) -> str:
    """A text as a literal of SQL, for statements that take no parameters."""
    return "'" + str(text).replace("'", "''") + "'"
