"""A copy of an embedded store, made while services write to it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from cds_service.errors import SettingsError
from cds_service.store.address import address_of, folder_of
from cds_service.store.pseudonyms import KEY_FILE


def back_up(store_url: str, folder: Path) -> Path:
    """Copy the SQLite file of the store, and its key if that is beside it, into a new folder.

    Returns the copied file. Raises SettingsError if the store is no file, FileExistsError if the
    folder exists, sqlite3.Error or OSError if the copy cannot be made.
    """
    source = folder_of(store_url)
    if source is None:
        raise SettingsError("CDS_STORE_URL: this store is no file; for PostgreSQL, use pg_dump")
    path = Path(str(address_of(store_url).database))
    if not path.is_file():
        raise SettingsError(f"CDS_STORE_URL: there is no file {path}")
    folder.mkdir(mode=0o700, parents=True)
    copy = folder / path.name
    copy.touch(mode=0o600)
    # Page by page, as SQLite says: a copy of the file would miss what is not in it yet.
    with closing(sqlite3.connect(path)) as store, closing(sqlite3.connect(copy)) as target:
        store.backup(target)
    key = source / KEY_FILE
    if key.is_file():
        shutil.copy(key, folder)  # with its mode
    return copy
