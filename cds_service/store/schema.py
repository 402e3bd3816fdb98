"""The version of the schema: up, down, and which one a database has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 5_284_113_066  # any number that nobody else in the database locks


def upgrade(engine: Engine, to: str = HEAD) -> None:
    """Bring the schema up to `to`; who comes at the same time waits, and finds it done.

    Raises SettingsError for a schema that a newer release has made.
    """
    with engine.connect() as connection, connection.begin():
        found = version(connection)
        if to == HEAD and found == HEAD:  # nearly always, and without Alembic
            return
        if found is not None and found > HEAD:
            raise SettingsError(
                f"CDS_STORE_URL: a newer release made the schema of this store ({found}; this"
                f" release knows {HEAD}): install that release, or name another store"
            )
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        with connection.begin():
            _lock(connection)
            from alembic import command

            command.upgrade(_configuration(connection), to)


def downgrade(engine: Engine, to: str) -> None:
    """Bring the schema down to `to`; what the tables of later versions hold is lost."""
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        with connection.begin():
            _lock(connection)
            from alembic import command

            command.downgrade(_configuration(connection), to)


def version(connection: Connection) -> str | None:
    """The version of the schema, or None for a database that has none of it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _lock(connection: Connection) -> None:
    """SQLite has locked with its BEGIN; on PostgreSQL the lock goes with the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _configuration(connection: Connection) -> Config:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    configuration.attributes["connection"] = connection
    return configuration
