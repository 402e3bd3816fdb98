"""Where the store is, as CDS_STORE_URL says it."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from cds_service.errors import SettingsError
from cds_service.settings import STATELESS

APPLICATION = "anxiety-cds-service"
_EMBEDDED = "embedded"
_FILE_NAME = "store.sqlite3"


def address_of(url: str) -> URL:
    """The address of the database at `url`. Raises SettingsError if there cannot be one."""
    if url == _EMBEDDED:
        path = user_data_path(APPLICATION, appauthor=False) / _FILE_NAME
        return URL.create("sqlite", database=str(path))
    try:
        address = make_url(url)
    except ArgumentError:
        raise SettingsError("CDS_STORE_URL: this is not the address of a database") from None
    if address.get_backend_name() == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    return address


def is_server(url: str) -> bool:
    """Whether several machines can share the store at `url`. Raises SettingsError."""
    return url != STATELESS and address_of(url).drivername != "sqlite"


def folder_of(url: str) -> Path | None:
    """The folder of an embedded store, created if needed; None for any other store.

    Raises SettingsError if it cannot be created.
    """
    if url == STATELESS or is_server(url):
        return None
    folder = Path(str(address_of(url).database)).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"CDS_STORE_URL: {folder} cannot be made: {error.strerror}") from error
    return folder
