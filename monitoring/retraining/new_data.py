"""How many rows have come since a model was judged last, which may be reason enough for another training.

Counting from the champion's training would ask again after each one that the gates refuse, for the rows that it learnt
from already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_lake.delta_rs import open_table, rows
from data_lake.tables import table
from ml_modeling.lifecycle import ROWS
from ml_modeling.registry import CHAMPION
from ml_modeling.registry.versions import behind_alias
from ml_modeling.tracking.judged import newest_judged
from ml_modeling.tracking.runs import existing_run
from ml_modeling.use_case import UseCase
from monitoring.control import Ask, Source
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Run

KEY = Source.NEW_DATA.value


@dataclass(frozen=True)
class NewData:
    """``tables`` are the rows that each table has more than when ``run_id`` was trained, the newest that was judged.

    ``champion`` is the version that a new model would follow.
    """

    champion: str
    run_id: str
    tables: Mapping[str, int]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


def new_data(settings: Settings, use_case: UseCase) -> NewData | None:
    """What has come since; None where nobody knows: there is no champion, or the newest run has no counts.

    Rows that were removed since, by retention or a correction, count against those that came.

    Raises:
        MissingTableError: a table that was learnt from is not there any more.
    """
    champion = behind_alias(settings, use_case.name, CHAMPION)
    if champion is None:
        return None
    champions = existing_run(settings, use_case.name, champion.run_id).read()
    newest = later(champions, newest_judged(settings, use_case.name))
    counted = {name.removeprefix(ROWS): value for name, value in newest.data.params.items() if name.startswith(ROWS)}
    if not counted or not all(value.isdecimal() for value in counted.values()):
        return None
    now = {name: rows(open_table(table(name), settings)) for name in counted}
    came = {name: max(0, now[name] - int(value)) for name, value in counted.items()}
    return NewData(champion.version, str(newest.info.run_id), came)


def later(champions: "Run", judged: "Run | None") -> "Run":
    """The one that was trained last; a champion that was made elsewhere was never judged."""
    if judged is None or judged.info.start_time < champions.info.start_time:
        return champions
    return judged


def ask_of(use_case: UseCase, found: NewData | None, actor: str) -> Ask | None:
    """What is asked for when enough has come by ``retraining.new_rows`` of model.yaml; None while it has not."""
    enough = use_case.spec.retraining.new_rows
    if found is None or enough is None or found.rows < enough:
        return None
    reason = f"{found.rows:,} rows came since run {found.run_id} was trained, the newest that was judged"
    evidence = {"champion": found.champion, "run_id": found.run_id, "rows": dict(found.tables), "enough": enough}
    return Ask(use_case.name, Source.NEW_DATA, KEY, f"{reason}; {enough:,} are enough", actor, evidence)
