"""Registered versions: made once from a run that passed its gates, listed with their aliases."""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ml_modeling.registry import tags
from ml_modeling.registry.aliases import CHALLENGER, CHAMPION, alias_version
from ml_modeling.registry.connection import connect, mlflow_errors, search
from ml_modeling.registry.identity import ModelIdentity, identity_of, logged_model
from ml_modeling.registry.lock import registry_lock
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

TEST_METRICS = "test."
METRICS = TypeAdapter(dict[str, float])

log = logging.getLogger(__name__)


class GateNotPassedError(TerminalError):
    """A run whose model may not be registered or promoted; the message has the gates' reasons."""


class Version(BaseModel):
    """A registered version; ``metrics`` are those of the test part.

    ``passed_gates`` says that it was registered by this project, which registers what passed.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    model_id: str
    digest: str
    passed_gates: bool
    created_at: datetime
    metrics: dict[str, float]

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity(run_id=self.run_id, model_id=self.model_id, digest=self.digest)


def register(settings: Settings, use_case: str, run_id: str, override: str = "") -> Version:
    """The version made of a run, with the alias ``challenger`` unless it is the champion or a newer one has it.

    Called again for the same run it returns the same version. ``override`` is who registers a run past its gates, and
    why: its version never counts as one that passed them.

    Raises:
        GateNotPassedError: the run was not gated, or a gate said no.
    """
    with registry_lock(settings, use_case):
        run = _read_run(settings, run_id)
        model = _model_of(run)
        version = _version_of(settings, use_case, model)
        if version is None:
            passed = {tags.GATE: tags.PASSED}
            if override and run.data.tags.get(tags.GATE) != tags.PASSED:
                passed = {tags.GATE: tags.OVERRIDDEN, tags.OVERRIDE: override[: tags.MAX_DESCRIPTION]}
            else:
                _check_gates(run)
            version = _create(settings, use_case, run, model, passed)
        _make_challenger(settings, use_case, version)
        return get_version(settings, use_case, version)


def gated_run(settings: Settings, version: Version) -> "Run":
    """The run of a version, when the model that passed its gates is the one that the version stands for.

    Raises:
        GateNotPassedError: it did not pass, was not judged, or is another model than the judged one.
    """
    if not version.run_id:
        raise GateNotPassedError(f"version {version.version} of {version.name!r} has no run that gates have judged")
    run = _read_run(settings, version.run_id)
    _check_gates(run)
    judged = _model_of(run)
    if judged != version.identity:
        raise GateNotPassedError(
            f"version {version.version} of {version.name!r} is {version.identity}, and the gates judged {judged}: "
            f"`tidemill models register {version.name} --run {version.run_id}` makes a version of that one"
        )
    return run


def _read_run(settings: Settings, run_id: str) -> "Run":
    client = connect(settings)
    with mlflow_errors(settings, f"reading run {run_id}"):
        return client.get_run(run_id)


def _check_gates(run: "Run") -> None:
    verdict = run.data.tags.get(tags.GATE)
    if verdict == tags.PASSED:
        return
    reason = "it was not gated: run `tidemill models gate` first"
    if verdict is not None:
        reason = run.data.tags.get(tags.GATE_REASONS, "no reason kept")
    raise GateNotPassedError(f"run {run.info.run_id} may not be registered or promoted: {reason}")


def _model_of(run: "Run") -> ModelIdentity:
    model = logged_model(run)
    if model is None:
        raise GateNotPassedError(f"run {run.info.run_id} has no model: did its training finish?")
    return model


def get_version(settings: Settings, use_case: str, version: str) -> Version:
    """One registered version.

    Raises:
        MlflowMissingError: the model has no such version.
    """
    client = connect(settings)
    with mlflow_errors(settings, f"reading model {use_case!r} version {version}"):
        return _described(client.get_model_version(use_case, version))


def behind_alias(settings: Settings, use_case: str, alias: str) -> Version | None:
    """The version behind an alias, None when there is none."""
    version = alias_version(settings, use_case, alias)
    return None if version is None else _described(version)


def list_versions(settings: Settings, use_case: str | None = None) -> list[Version]:
    """The versions of one model, or of all, newest first."""
    client = connect(settings)
    where = "" if use_case is None else f"name='{use_case}'"
    with mlflow_errors(settings, "listing model versions"):
        found: list[ModelVersion] = list(search(lambda token: client.search_model_versions(where, page_token=token)))
        models: Iterator[RegisteredModel] = search(
            lambda token: client.search_registered_models(where, page_token=token)
        )
        aliases = {model.name: model.aliases for model in models}
    described = [_described(version, aliases.get(version.name, {})) for version in found]
    return sorted(described, key=lambda version: (version.name, -int(version.version)))


def _version_of(settings: Settings, use_case: str, model: ModelIdentity) -> str | None:
    client = connect(settings)
    where = f"name='{use_case}' and run_id='{model.run_id}'"
    with mlflow_errors(settings, f"looking for the version of run {model.run_id}"):
        found: list[ModelVersion] = list(search(lambda token: client.search_model_versions(where, page_token=token)))
    ours = (version for version in found if _is_registered_here(version) and identity_of(version) == model)
    numbers = [int(version.version) for version in ours]
    return str(min(numbers)) if numbers else None


def _create(settings: Settings, use_case: str, run: "Run", model: ModelIdentity, passed: Mapping[str, str]) -> str:
    client = connect(settings)
    metrics = {
        name.removeprefix(TEST_METRICS): value
        for name, value in run.data.metrics.items()
        if name.startswith(TEST_METRICS)
    }
    digest = {tags.DIGEST: model.digest} if model.digest else {}
    _ensure_model(settings, use_case)
    with mlflow_errors(settings, f"registering run {model.run_id} as a version of {use_case!r}"):
        made = client.create_model_version(
            use_case,
            source=run.data.tags[tags.MODEL_URI],
            run_id=model.run_id,
            model_id=model.model_id,
            tags={tags.METRICS: json.dumps(metrics), **passed, **digest},
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
    model = identity_of(version)
    return Version(
        name=version.name,
        version=str(version.version),
        aliases=tuple(sorted(named)),
        run_id=model.run_id,
        model_id=model.model_id,
        digest=model.digest,
        passed_gates=_has_passed(version),
        created_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        metrics=_metrics(version),
    )


def _has_passed(version: "ModelVersion") -> bool:
    return bool(version.tags.get(tags.GATE) == tags.PASSED)


def _is_registered_here(version: "ModelVersion") -> bool:
    return version.tags.get(tags.GATE) in {tags.PASSED, tags.OVERRIDDEN}


def _metrics(version: "ModelVersion") -> dict[str, float]:
    """Those kept with the version; a tag that anybody may have written is told when it is none of ours."""
    stored = version.tags.get(tags.METRICS, "{}")
    try:
        return METRICS.validate_json(stored)
    except ValidationError:
        log.warning("version %s of %s has no metrics in its tag %s", version.version, version.name, tags.METRICS)
        return {}
