"""A relational table as a source: each row, and each later state of it, an event once."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import URL

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.database import Database, TableReading, shown
from ingestion_layer.sources.mapped.events import Judge, Judged
from ingestion_layer.sources.mapped.mapping import MappingError, SourceMapping
from ingestion_layer.sources.mapped.marks import Kept, below, kept, not_beyond, value_of
from ingestion_layer.sources.mapped.source import MappedSource
from ingestion_layer.sources.progress import Progress
from tidemill.config.settings import Settings

WITHOUT, BEYOND_NOW = "without_update_value", "beyond_now"


class TableSource(MappedSource):
    """The position counts rows over all runs; a run that was finished begins where the table may have grown.

    With an update column a run reads what is not older than the last value less the overlap, and the id of a row's
    state is made of its id columns and that value. Without one it reads the whole table in the order of the id
    columns, and the id is made of all that the row says.
    """

    unit = "rows"
    grows = True
    total = None

    def __init__(self, settings: Settings, mapping: SourceMapping, url: URL) -> None:
        said = mapping.declared.table
        if said is None:
            raise MappingError(f"{mapping.file}: table is missing: `table: {{name: orders, updated: changed_at}}`")
        super().__init__(settings, mapping)
        self.said, self.shown_url = said, shown(url)
        self._reading = TableReading(Database(url), said.name)
        self._columns = list(dict.fromkeys((*mapping.read_columns, *([said.updated] if said.updated else []))))
        self._order = [said.updated] if said.updated else mapping.declared.id
        self._last: list[Kept] | None = None
        self._began = datetime.now(UTC)

    @cached_property
    def identity(self) -> str:
        of = self._reading.database.url.set(password=None).render_as_string()
        return hashlib.sha256(f"{of} {self.mapping.digest}".encode()).hexdigest()[:16]

    def check(self) -> None:
        """That the table is there, with the columns of the mapping.

        Raises:
            DatabaseError: it is not.
        """
        self._reading.check(self._columns, self.mapping.file.name)

    def judge(self) -> Judge:
        if self.said.updated is None:
            return Judge(self.mapping, "", by_content=True)
        ids = list(dict.fromkeys((*self.mapping.declared.id, self.said.updated)))
        return Judge(replace(self.mapping, declared=self.mapping.declared.model_copy(update={"id": ids})), "")

    def judged(self, progress: Progress) -> Iterator[tuple[Chunk, Judged]]:
        judge, done = self.judge(), progress.position
        self._last = progress.state.get("last")
        self._began, beyond = datetime.now(UTC), 0
        for rows in self._reading.chunks(self._query(progress.is_finished)):
            cells = dict(zip(self._columns, zip(*rows, strict=True), strict=True))
            first, done = done + 1, done + len(rows)
            chunk = Chunk(done, range(first, done + 1), cells)
            self._last = self._mark(cells) or self._last  # kept only with all of the chunk acknowledged
            beyond += self._beyond_now(cells)
            yield chunk, judge.judge(chunk)
        if self.said.updated is not None:
            self.counts[WITHOUT] = self._reading.count_without(self.said.updated)
            self.counts[BEYOND_NOW] = beyond

    def _not_beyond(self, value: Any) -> Any:
        return not_beyond(value, self._began, self.mapping.declared.zone_info)

    def _beyond_now(self, cells: dict[str, Any]) -> int:
        """How many rows of a chunk have an update value that is to come."""
        values = cells[self.said.updated] if self.said.updated is not None else []
        if not values or self._not_beyond(values[-1]) == values[-1]:  # they ascend
            return 0
        return sum(self._not_beyond(value) != value for value in values)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "last": self._last}

    def _query(self, is_finished: bool) -> Any:
        updated = self.said.updated
        last = [value_of(mark) for mark in self._last] if self._last else None
        if updated is None:
            return self._reading.rows(self._columns, self._order, None if is_finished else last, again=False)
        if last is not None:
            last = [below(updated, last[0], self.said.overlap)]
        return self._reading.rows(self._columns, self._order, last, again=True)

    def _mark(self, cells: dict[str, Any]) -> list[Kept] | None:
        """The last row's values in the order of the reading; None where a part of them is null.

        An update value is never later than this run: with one row of the year 2099 nothing would be newer any more.
        """
        values = [cells[name][-1] for name in self._order]
        if any(value is None for value in values):
            return None
        if self.said.updated is not None:
            values = [self._not_beyond(values[0])]
        return [kept(name, value) for name, value in zip(self._order, values, strict=True)]
