"""Looking at what the loop has written down: looks in the lake, requests and the traffic in the control store."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import duckdb

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import table
from monitoring.control import ControlStore, ControlStoreAwayError
from monitoring.looks.results import DRIFT
from tidemill.config.settings import Settings
from tidemill.demo.loop.moments import Drifted, Moment, Seen, of_changes, of_look, of_request

LOOKS = """
    SELECT look_id, looked_at, judged, feature, is_drifted, statistic, effect, effect_limit
    FROM looks WHERE use_case = ? ORDER BY looked_at
"""


class Watch:
    """Of one use case; each moment is given once."""

    def __init__(self, settings: Settings, store: ControlStore, use_case: str) -> None:
        self._settings = settings
        self._store = store
        self._use_case = use_case
        self._version: int | None = None
        self._seen: set[str] = set()

    def news(self) -> list[Moment]:
        """What has happened since the last call, in the order of its times."""
        fresh = [moment for moment in self._all() if moment.key not in self._seen]
        self._seen.update(moment.key for moment in fresh)
        return sorted(fresh, key=lambda moment: moment.at)

    def _all(self) -> Iterator[Moment]:
        yield from map(of_look, self._looks())
        try:
            for request in self._store.requests.newest(self._use_case):
                yield from of_request(request, self._store.requests.trail(request.id))
            yield from of_changes(self._store.rollouts.history(self._use_case))
        except ControlStoreAwayError:
            return  # the next look has it

    def _looks(self) -> Sequence[Seen]:
        """Those on record; none where the table has not changed since they were read."""
        try:
            delta = open_table(table(DRIFT), self._settings)
        except MissingTableError:
            return ()
        if delta.version() == self._version:
            return ()
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("looks", arrow.source(delta))
            rows = connection.execute(LOOKS, [self._use_case]).fetchall()
        self._version = delta.version()
        return _grouped(rows)


def _grouped(rows: Sequence[tuple[object, ...]]) -> Sequence[Seen]:
    looks: dict[str, Seen] = {}
    for look_id, looked_at, judged, feature, is_drifted, statistic, effect, limit in rows:
        assert isinstance(looked_at, datetime)  # noqa: S101 - a column of type timestamp
        found = [Drifted(feature, statistic or "", effect or 0.0, limit or 0.0)] if is_drifted else []  # type: ignore[arg-type]
        before = looks.get(str(look_id))
        drifted = [*(before.drifted if before else ()), *found]
        looks[str(look_id)] = Seen(str(look_id), looked_at.astimezone(UTC), int(judged), drifted)  # type: ignore[call-overload]
    return list(looks.values())
