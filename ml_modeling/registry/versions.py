"""Registered versions: made once from a run that passed its gates, listed with their aliases."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from config.errors import TerminalError
from config.settings import Settings
from ml_modeling.registry import tags
from ml_modeling.registry.connection import connect, mlflow_errors
from ml_modeling.registry.lock import registry_lock
from ml_modeling.registry.serving import CHALLENGER, CHAMPION, alias_version

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

TEST_METRICS = "test."


class GateNotPassedError(TerminalError):
    """A run whose model may not be registered or promoted; the message has the gates' reasons."""


class Version(BaseModel):
    """A registered version; ``metrics`` are those of the test part."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    created_at: datetime
    metrics: dict[str, float]


def register(settings: Settings, use_case: str, run_id: str) -> Version:
    """The version made of a run, with the alias ``challenger`` unless it is the champion or a newer one has it.

    Called again for the same run it returns the same version.

    Raises:
        GateNotPassedError: the run was not gated, or a gate said no.
    """
    with registry_lock(settings, use_case):
        version = _version_of_run(settings, use_case, run_id)
        if version is None:
            version = _create(settings, use_case, gated_run(settings, run_id))
        _make_challenger(settings, use_case, version)
        return get_version(settings, use_case, version)


def gated_run(settings: Settings, run_id: str) -> "Run":
    """The run, when it passed its gates.

    Raises:
        GateNotPassedError: it did not, or was not judged.
    """
    client = connect(settings)
    with mlflow_errors(settings, f"reading run {run_id}"):
        run = client.get_run(run_id)
    verdict = run.data.tags.get(tags.GATE)
    if verdict == tags.PASSED:
        return run
    reason = "it was not gated: run `tidemill models gate` first"
    if verdict is not None:
        reason = run.data.tags.get(tags.GATE_REASONS, "no reason kept")
    raise GateNotPassedError(f"run {run_id} may not be registered or promoted: {reason}")


def get_version(settings: Settings, use_case: str, version: str) -> Version:
    """One registered version.

    Raises:
        MlflowMissingError: the model has no such version.
    """
    client = connect(settings)
    with mlflow_errors(settings, f"reading model {use_case!r} version {version}"):
        return _described(client.get_model_version(use_case, version))


def list_versions(settings: Settings, use_case: str | None = None) -> list[Version]:
    """The versions of one model, or of all, newest first."""
    client = connect(settings)
    where = "" if use_case is None else f"name='{use_case}'"
    found: list[ModelVersion] = []
    with mlflow_errors(settings, "listing model versions"):
        page = client.search_model_versions(where)
        found.extend(page)
        while page.token:
            page = client.search_model_versions(where, page_token=page.token)
            found.extend(page)
        aliases = {model.name: model.aliases for model in client.search_registered_models()}
    described = [_described(version, aliases.get(version.name, {})) for version in found]
    return sorted(described, key=lambda version: (version.name, -int(version.version)))


def _version_of_run(settings: Settings, use_case: str, run_id: str) -> str | None:
    client = connect(settings)
    with mlflow_errors(settings, f"looking for the version of run {run_id}"):
        found = client.search_model_versions(f"name='{use_case}' and run_id='{run_id}'")
    return str(min(int(version.version) for version in found)) if found else None


def _create(settings: Settings, use_case: str, run: "Run") -> str:
    client = connect(settings)
    metrics = {
        name.removeprefix(TEST_METRICS): value
        for name, value in run.data.metrics.items()
        if name.startswith(TEST_METRICS)
    }
    uri = run.data.tags[tags.MODEL_URI]
    _ensure_model(settings, use_case)
    with mlflow_errors(settings, f"registering run {run.info.run_id} as a version of {use_case!r}"):
        made = client.create_model_version(
            use_case,
            source=uri,
            run_id=run.info.run_id,
            model_id=uri.removeprefix("models:/"),
            tags={tags.METRICS: json.dumps(metrics), tags.GATE: tags.PASSED},
            description=run.data.tags.get(tags.NOTE),
            await_creation_for=0,  # the model's files are there already
        )
    return str(made.version)


def _ensure_model(settings: Settings, use_case: str) -> None:
    from mlflow.exceptions import MlflowException

    client = connect(settings)
    with mlflow_errors(settings, f"creating registered model {use_case!r}"):
        try:
            client.create_registered_model(use_case)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _make_challenger(settings: Settings, use_case: str, version: str) -> None:
    champion = alias_version(settings, use_case, CHAMPION)
    challenger = alias_version(settings, use_case, CHALLENGER)
    is_champion = champion is not None and str(champion.version) == version
    is_older = challenger is not None and int(challenger.version) >= int(version)
    if is_champion or is_older:
        return
    client = connect(settings)
    with mlflow_errors(settings, f"making version {version} of {use_case!r} the challenger"):
        client.set_registered_model_alias(use_case, CHALLENGER, version)


def _described(version: "ModelVersion", aliases: dict[str, str] | None = None) -> Version:
    named = list(version.aliases or [])
    if aliases is not None:
        named = [alias for alias, number in aliases.items() if str(number) == str(version.version)]
    return Version(
        name=version.name,
        version=str(version.version),
        aliases=tuple(sorted(named)),
        run_id=version.run_id or "",
        created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        metrics=json.loads(version.tags.get(tags.METRICS, "{}")),
    )
