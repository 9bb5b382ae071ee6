"""What Alembic runs for each command; the connection comes from ``upgrade``."""

from alembic import context

from common.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
