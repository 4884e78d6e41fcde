"""The audit trail of promotions: who changed the champion, when, from what to what, and why.

Each change is one run of the MLflow experiment ``<use case>-promotions``: written RUNNING before the alias moves (the
intent), FINISHED after it moved, FAILED when it did not. The record lives on the server that holds the alias, is
found in MLflow's own pages, and a crash in between leaves an intent that tells what was under way.
"""

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_modeling.registry import tags
from ml_modeling.registry.connection import connect, mlflow_errors, search
from ml_modeling.registry.experiments import experiment_id
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.registry.versions import Version
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Run

Action = Literal["promote", "rollback", "retire", "observed"]
State = Literal["intended", "completed", "abandoned"]

STATES: dict[str, State] = {"RUNNING": "intended", "FINISHED": "completed", "FAILED": "abandoned"}
PAGE = 500

log = logging.getLogger(__name__)


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
    to_version: str | None = None
    to_model: ModelIdentity | None = Field(default=None, description="what to_version stood for; null for no champion")
    who: str
    reason: str
    metrics: dict[str, float] = Field(default_factory=dict, description="of the new champion, on its test part")
    host: str = Field(default_factory=socket.gethostname)
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    note: str = ""
    request_id: str = Field(default="", description="of the retrain request that it was done for")
    rollout: str = Field(default="", description="the key of the change that its rollout began with")
    evidence: str = Field(default="", description="what the rollout found, in a sentence")
    is_override: bool = Field(default=False, description="a person decided past the gates")

    def leading_to(self, champion: Version | None) -> "AuditRecord":
        """This change with its new champion."""
        if champion is None:
            return self
        number, model = champion.version, champion.identity
        return self.model_copy(update={"to_version": number, "to_model": model, "metrics": champion.metrics})

    def is_of(self, version: Version | None) -> bool:
        """Whether the new champion was ``version``: that very model, not another one under its number."""
        if version is None or self.to_version is None:
            return version is None and self.to_version is None
        if self.to_model is None:  # written before records named the model: one made later cannot be meant
            return self.to_version == version.version and version.created_at <= self.at
        return self.to_version == version.version and self.to_model == version.identity

    def has_champion_of(self, other: "AuditRecord") -> bool:
        """Whether both changes led to the same champion."""
        is_same_model = None in (self.to_model, other.to_model) or self.to_model == other.to_model
        return self.to_version == other.to_version and is_same_model


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
    with mlflow_errors(settings, f"reading the audit trail of {use_case}"):
        experiment = client.get_experiment_by_name(_experiment(use_case))
        if experiment is None:
            return []
        where, oldest_first = [experiment.experiment_id], ["attributes.start_time ASC"]
        runs: Iterator[Run] = search(
            lambda token: client.search_runs(where, "", ViewType.ALL, PAGE, oldest_first, token)
        )
        return [record for run in runs if (record := _record(use_case, run)) is not None]


def _record(use_case: str, run: "Run") -> AuditRecord | None:
    """The record that a run holds; anybody can make a run in this experiment, so another run is told and left out."""
    run_id, status, stored = run.info.run_id, run.info.status, run.data.tags
    if status not in STATES:
        _left_out(use_case, run_id, f"it is {status}")
        return None
    try:
        record = AuditRecord.model_validate_json(stored.get(tags.AUDIT, ""))
    except ValidationError as error:
        wrong = error.errors()[0]["msg"] if tags.AUDIT in stored else f"it has no tag {tags.AUDIT}"
        _left_out(use_case, run_id, wrong)
        return None
    if record.use_case != use_case:
        _left_out(use_case, run_id, f"it is of model {record.use_case!r}")
        return None
    note = stored.get(f"{tags.AUDIT}.note", "")
    return record.model_copy(update={"id": run_id, "state": STATES[status], "note": note})


def _left_out(use_case: str, run_id: str, reason: str) -> None:
    log.warning("run %s of experiment %s is no audit record, left out: %s", run_id, _experiment(use_case), reason)


def _experiment(use_case: str) -> str:
    return f"{use_case}-promotions"
