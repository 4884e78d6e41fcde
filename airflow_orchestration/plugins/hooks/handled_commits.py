"""The durable record of the commits a DAG has handled: one Airflow variable a DAG.

Asset events are not this record: one may be lost, and a run may see another run's. The variable is written only after
the work is done, so a crash in between repeats work that is a no-op the second time, and loses none.
"""

from collections.abc import Mapping

from airflow.sdk import Variable

from airflow_orchestration.plugins.hooks.delta import Commit, from_json, latest_commits, moved_on, to_json
from tidemill.config.settings import load_settings


def handled_commits(dag_id: str) -> dict[str, Commit]:
    """The commits that runs of ``dag_id`` have handled, by table; empty before the first."""
    return from_json(Variable.get(_key(dag_id), default={}, deserialize_json=True))


def record_handled(dag_id: str, commits: Mapping[str, Commit]) -> dict[str, Commit]:
    """Note that ``commits`` are handled; the record after that, which never goes back.

    An older run whose task is cleared records what it saw then: later runs have handled more since.
    """
    present = latest_commits(load_settings(), list(commits))
    record = moved_on(handled_commits(dag_id), commits, present)
    Variable.set(
        _key(dag_id),
        to_json(record),
        description=f"Delta commits {dag_id} has handled; delete it to have the next run handle them again",
        serialize_json=True,
    )
    return record


def _key(dag_id: str) -> str:
    return f"handled_commits.{dag_id}"
