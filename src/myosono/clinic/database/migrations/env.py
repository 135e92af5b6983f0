"""Alembic's environment: it runs on the connection, and in the transaction, that `migrate.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from myosono.clinic.database.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
