"""Alembic runs this: the migrations, in the connection and transaction of schema.py."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
