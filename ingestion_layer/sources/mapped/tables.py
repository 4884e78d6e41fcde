"""A relational table as a source: each row, and each later state of it, an event once."""

import hashlib
from bisect import bisect_left
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
from ingestion_layer.sources.mapped.marks import Kept, below, is_beyond, kept, value_of
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
            to_come = self._to_come(cells)
            self._last = self._mark(cells, to_come) or self._last  # kept only with all of the chunk acknowledged
            beyond += to_come
            yield chunk, judge.judge(chunk)
        if self.said.updated is not None:
            self.counts[WITHOUT] = self._reading.count_without(self.said.updated)
            self.counts[BEYOND_NOW] = beyond

    def _to_come(self, cells: dict[str, Any]) -> int:
        """How many rows of a chunk, the last ones, have an update value that is to come."""
        if self.said.updated is None:
            return 0
        values, zone = cells[self.said.updated], self.mapping.declared.zone_info
        return len(values) - bisect_left(values, True, key=lambda value: is_beyond(value, self._began, zone))

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

    def _mark(self, cells: dict[str, Any], to_come: int) -> list[Kept] | None:
        """The values of a row in the order of the reading; None where a part of them is null.

        It is the last row whose time has come: beside one of the year 2099 nothing would be newer any more.
        """
        come = len(cells[self._order[0]]) - to_come
        values = [cells[name][come - 1] for name in self._order] if come else [None]
        if any(value is None for value in values):
            return None
        return [kept(name, value) for name, value in zip(self._order, values, strict=True)]
