"""What is declared of a Delta table."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidemill.config.settings import Settings
from tidemill.contracts.columns import Column

CHANGE_FEED = {"delta.enableChangeDataFeed": "true"}


@dataclass(frozen=True)
class Table:
    """A Delta table.

    ``keys`` identify a row; ``retention_days`` is how long rows stay (None: for ever).
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    retention_days: int | None = None

    def path(self, settings: Settings) -> str:
        """Where the table lies: a folder or an object-store URI."""
        return settings.table_path(self.name)

    @property
    def ddl(self) -> str:
        """The columns as a Spark DDL list."""
        return ", ".join(f"`{c.name}` {c.sql_type}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)
