"""Every version that the schema has had, for Alembic."""
