"""How many rows have come since the champion was trained, which may be reason enough for another training."""

from collections.abc import Mapping
from dataclasses import dataclass

from data_lake.delta_rs import open_table, rows
from data_lake.tables import table
from ml_modeling.lifecycle import ROWS
from ml_modeling.registry import CHAMPION
from ml_modeling.registry.versions import behind_alias
from ml_modeling.tracking.runs import existing_run
from ml_modeling.use_case import UseCase
from monitoring.control import Ask, Source
from tidemill.config.settings import Settings

KEY = Source.NEW_DATA.value


@dataclass(frozen=True)
class NewData:
    """``tables`` are the rows that each table has more than when the champion, ``version``, was trained."""

    version: str
    tables: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def new_data(settings: Settings, use_case: UseCase) -> NewData | None:
    """What has come since; None where nobody knows: there is no champion, or its run has no counts.

    Rows that were removed since, by retention or a correction, count against those that came.

    Raises:
        MissingTableError: a table that the champion was trained from is not there any more.
    """
    champion = behind_alias(settings, use_case.name, CHAMPION)
    if champion is None:
        return None
    params = existing_run(settings, use_case.name, champion.run_id).read().data.params
    counted = {name.removeprefix(ROWS): value for name, value in params.items() if name.startswith(ROWS)}
    if not counted or not all(value.isdecimal() for value in counted.values()):
        return None
    now = {name: rows(open_table(table(name), settings)) for name in counted}
    return NewData(champion.version, {name: max(0, now[name] - int(value)) for name, value in counted.items()})


def ask_of(use_case: UseCase, found: NewData | None, actor: str) -> Ask | None:
    """What is asked for when enough has come by ``retraining.new_rows`` of model.yaml; None while it has not."""
    enough = use_case.spec.retraining.new_rows
    if found is None or enough is None or found.rows < enough:
        return None
    reason = f"{found.rows:,} rows came since champion {found.version} was trained, {enough:,} are enough"
    evidence = {"champion": found.version, "rows": dict(found.tables), "enough": enough}
    return Ask(use_case.name, Source.NEW_DATA, KEY, reason, actor, evidence)
