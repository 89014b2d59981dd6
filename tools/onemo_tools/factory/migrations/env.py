# SPDX-License-Identifier: MIT
"""Run by alembic: on the connection that `database` hands over."""

from alembic import context
from onemo_tools.factory.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
