"""The audit trail of promotions: who changed the champion, when, from what to what, and why.

Each change is one run of the MLflow experiment ``<use case>-promotions``: written RUNNING before the alias moves (the
intent), FINISHED after it moved, FAILED when it did not. The record lives on the server that holds the alias, is
found in MLflow's own pages, and a crash in between leaves an intent that tells what was under way.
"""

import socket
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from config.settings import Settings
from ml_modeling.registry import tags
from ml_modeling.registry.connection import connect, mlflow_errors
from ml_modeling.registry.experiments import experiment_id

Action = Literal["promote", "rollback", "observed"]
State = Literal["intended", "completed", "abandoned"]

STATES: dict[str, State] = {"RUNNING": "intended", "FINISHED": "completed", "FAILED": "abandoned"}
PAGE = 500


class AuditRecord(BaseModel):
    """One change of the champion; ``observed`` is one that did not go through this project.

    ``note`` says how an unfinished change was settled.
    """

    model_config = ConfigDict(frozen=True)

    id: str = ""
    state: State = "intended"
    action: Action
    use_case: str
    from_version: str | None
    to_version: str | None
    who: str
    reason: str
    metrics: dict[str, float] = Field(default_factory=dict, description="of the new champion, on its test part")
    host: str = Field(default_factory=socket.gethostname)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    note: str = ""


def intend(settings: Settings, record: AuditRecord) -> AuditRecord:
    """Writes the intent; returns the record with its id."""
    client = connect(settings)
    name = f"{record.action} {record.from_version or 'none'} to {record.to_version or 'none'}"
    body = record.model_dump_json(exclude={"id", "state", "note"})
    with mlflow_errors(settings, f"writing the audit record of {record.use_case}"):
        experiment = experiment_id(client, _experiment(record.use_case))
        started = int(record.at.timestamp() * 1000)
        run = client.create_run(experiment, start_time=started, tags={tags.AUDIT: body}, run_name=name)
    return record.model_copy(update={"id": run.info.run_id})


def close(settings: Settings, record: AuditRecord, state: State, note: str = "") -> AuditRecord:
    """Ends an intent as completed or abandoned."""
    client = connect(settings)
    status = next(status for status, known in STATES.items() if known == state)
    with mlflow_errors(settings, f"closing audit record {record.id} of {record.use_case}"):
        if note:
            client.set_tag(record.id, f"{tags.AUDIT}.note", note)
        client.set_terminated(record.id, status)
    return record.model_copy(update={"state": state, "note": note})


def trail(settings: Settings, use_case: str) -> list[AuditRecord]:
    """Every record of a use case, oldest first; deleting a run in MLflow's pages does not take it out."""
    from mlflow.entities import ViewType

    client = connect(settings)
    records: list[AuditRecord] = []
    with mlflow_errors(settings, f"reading the audit trail of {use_case}"):
        experiment = client.get_experiment_by_name(_experiment(use_case))
        token = None
        while experiment is not None:
            page = client.search_runs(
                [experiment.experiment_id], "", ViewType.ALL, PAGE, ["attributes.start_time ASC"], token
            )
            records += [_record(run.info.run_id, run.info.status, run.data.tags) for run in page]
            token = page.token
            if not token:
                break
    return records


def _record(run_id: str, status: str, stored: dict[str, str]) -> AuditRecord:
    record = AuditRecord.model_validate_json(stored[tags.AUDIT])
    note = stored.get(f"{tags.AUDIT}.note", "")
    return record.model_copy(update={"id": run_id, "state": STATES[status], "note": note})


def _experiment(use_case: str) -> str:
    return f"{use_case}-promotions"
