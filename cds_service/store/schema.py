"""The version of the database schema: read it, upgrade, downgrade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0008"
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 5_284_113_066  # any number that no other program locks


def upgrade(engine: Engine, to: str = HEAD) -> None:
    """Bring the schema up to `to`. Other processes wait, and then find it current.

    Raises SettingsError if a newer release made the schema.
    """
    with engine.connect() as connection, connection.begin():
        current = version(connection)
        if to == HEAD and current == HEAD:  # nearly always, and without Alembic
            return
        if current is not None and current > HEAD:
            raise SettingsError(
                f"CDS_STORE_URL: a newer release made the schema of this store ({current}; this"
                f" release knows {HEAD}): install that release, or choose another store"
            )
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        with connection.begin():
            _lock(connection)
            from alembic import command

            command.upgrade(_configuration(connection), to)


def downgrade(engine: Engine, to: str) -> None:
    """Bring the schema down to `to`; data in tables of later versions is lost."""
    with engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection:
        with connection.begin():
            _lock(connection)
            from alembic import command

            command.downgrade(_configuration(connection), to)


def version(connection: Connection) -> str | None:
    """The version of the schema, or None for a database without it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    number = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if number is None else str(number)


def _lock(connection: Connection) -> None:
    """SQLite already locked with its BEGIN; PostgreSQL releases the lock with the transaction."""
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
