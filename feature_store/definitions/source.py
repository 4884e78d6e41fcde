"""Whom a feature describes, and which events it is made from."""

from dataclasses import dataclass

from feature_store.definitions.errors import DefinitionError, check_column, check_name


@dataclass(frozen=True)
class Entity:
    """Whom or what features describe, such as a customer; ``key`` is the column that identifies one."""

    name: str
    key: str

    def __post_init__(self) -> None:
        check_name("Entity.name", self.name)
        check_column("Entity.key", self.key)


@dataclass(frozen=True)
class Source:
    """A silver table of events.

    ``known_time`` is the column that says when the platform learnt of the event: an as-known value leaves out what was
    not known yet. Events of equal time are ordered by ``tie_breaker``, a column that is unique. ``entity_column`` is
    needed where the table calls the entity something else than the entity's own key.
    """

    table: str
    event_time: str = "event_time"
    known_time: str = "ingested_at"
    tie_breaker: str = "event_id"
    entity_column: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.table, str) or not self.table.startswith("silver/"):
            raise DefinitionError(f"Source.table: {self.table!r} is no silver table (silver/<noun>)")
        for field in ("event_time", "known_time", "tie_breaker"):
            check_column(f"Source.{field}", getattr(self, field))
        if self.entity_column is not None:
            check_column("Source.entity_column", self.entity_column)
