"""What Alembic runs: the migrations, on the connection and in the transaction of `monitoring.control.migrate`."""

from alembic import context

from monitoring.control.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
