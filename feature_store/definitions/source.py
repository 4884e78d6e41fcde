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
class Product:
    """A column that the table does not have: the product of two number columns that it has, each as a float64."""

    name: str
    left: str
    right: str

    def __post_init__(self) -> None:
        for field in ("name", "left", "right"):
            check_column(f"Product.{field}", getattr(self, field))


@dataclass(frozen=True)
class Source:
    """A silver table of events.

    ``known_time`` is the column that says when the platform learnt of the event: an as-known value leaves out what was
    not known yet. Events of equal time are ordered by ``tie_breaker``, the columns that identify an event.
    ``entity_column`` is needed where the table calls the entity something else than the entity's own key. Filters and
    features may read ``computed`` columns like those of the table.
    """

    table: str
    event_time: str = "event_time"
    known_time: str = "ingested_at"
    tie_breaker: tuple[str, ...] = ("source", "event_id")
    entity_column: str | None = None
    computed: tuple[Product, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.table, str) or not self.table.startswith("silver/"):
            raise DefinitionError(f"Source.table: {self.table!r} is no silver table (silver/<noun>)")
        for field in ("event_time", "known_time"):
            check_column(f"Source.{field}", getattr(self, field))
        if not isinstance(self.tie_breaker, tuple) or not self.tie_breaker:
            raise DefinitionError(f"Source.tie_breaker: {self.tie_breaker!r} is no tuple of column names")
        for name in self.tie_breaker:
            check_column("Source.tie_breaker", name)
        if self.entity_column is not None:
            check_column("Source.entity_column", self.entity_column)
        if not isinstance(self.computed, tuple) or not all(isinstance(one, Product) for one in self.computed):
            raise DefinitionError(f"Source.computed: {self.computed!r} is not made of Product")
        names = [one.name for one in self.computed]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DefinitionError(f"Source.computed: {', '.join(twice)} stands there twice")

    def meaning_of(self, column: str) -> object:
        """For the fingerprint: what ``column`` is made of when it is computed."""
        made_of = [[one.left, one.right] for one in self.computed if one.name == column]
        return sorted(made_of[0]) if made_of else column
