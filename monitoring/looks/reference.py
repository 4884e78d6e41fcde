"""What a model learnt from, and what it said on the test part: kept with its run, and in ``gold/model_profiles``."""

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.tables import table
from ml_modeling.registry import ModelIdentity, tags
from ml_modeling.registry.connection import MlflowMissingError
from ml_modeling.tracking.runs import TrainingRun
from ml_modeling.training.train import TrainedModel
from ml_modeling.use_case import UseCase
from monitoring.looks.columns import batch_of, feature_definition, prediction_definition, predictions
from monitoring.profiles import TableProfile, UnreadableProfileError, from_bytes, profile_batches, to_bytes
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

REFERENCE = "drift/reference.profile"
PROFILES = "gold/model_profiles"
ATTEMPTS = 5


class NoReferenceError(TerminalError):
    """A model without the profile of what it learnt from; the message says what makes one."""


class ProfilesBusyError(TransientError):
    """Other writers came first every time."""


@dataclass(frozen=True)
class Kept:
    """A reference, and the bytes that it is kept as."""

    profile: TableProfile
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.content).hexdigest()


def reference_profile(use_case: UseCase, model: TrainedModel) -> TableProfile:
    """Of the features of the rows that the model was fitted on, and of what it says of the test part.

    What it says of rows that it was fitted on is surer than what it says of others, so those are not looked at.
    """
    definition = feature_definition(model.serving.features, use_case.spec.columns.roles)
    features = profile_batches([batch_of(model.fitted.x, definition)], definition)
    said = prediction_definition(model.serving)
    of_test = predictions(model.serving, model.pipeline, model.test.x)
    return beside(features, profile_batches([batch_of(of_test, said)], said))


def beside(features: TableProfile, said: TableProfile) -> TableProfile:
    """The columns of both as one profile, whose rows are those of the features."""
    columns = (*features.definition.columns, *said.definition.columns)
    definition = type(features.definition)(columns, features.definition.time_column)
    return TableProfile(definition, {**features.columns, **said.columns}, features.rows)


def keep_reference(run: TrainingRun, use_case: UseCase, model: TrainedModel) -> Kept:
    """Keeps the reference of a trained model in its run and in the lake; again for the same run changes nothing.

    Raises:
        ProfilesBusyError: the lake's table was written by others each time.
    """
    return keep(run, use_case.name, lambda: reference_profile(use_case, model))


def keep(run: TrainingRun, use_case: str, make: Callable[[], TableProfile]) -> Kept:
    """Keeps the profile that ``make`` gives, unless the run has a whole one; that one is in the lake afterwards."""
    try:
        kept = _read(run, use_case)
    except NoReferenceError:
        profile = make()
        kept = Kept(profile, to_bytes(profile))
        run.log_bytes(kept.content, REFERENCE)
        run.set_tags({tags.REFERENCE: kept.digest})
    _record(run.settings, use_case, run.model(), kept)
    return kept


def read_reference(run: TrainingRun, use_case: str) -> TableProfile:
    """The reference that a run keeps.

    Raises:
        NoReferenceError: it keeps none, or one that is not as it was written.
    """
    return _read(run, use_case).profile


def _read(run: TrainingRun, use_case: str) -> Kept:
    way_out = f"`tidemill drift reference {use_case}` makes one from the examples that the run keeps"
    try:
        content = run.read_bytes(REFERENCE)
    except MlflowMissingError as error:
        raise NoReferenceError(f"run {run.run_id} has no profile of what its model learnt from: {way_out}") from error
    recorded = run.read().data.tags.get(tags.REFERENCE, "")
    if recorded != hashlib.sha256(content).hexdigest():
        raise NoReferenceError(f"{REFERENCE} of run {run.run_id} is not as it was written: {way_out}")
    try:
        return Kept(from_bytes(content), content)
    except UnreadableProfileError as error:
        raise NoReferenceError(f"{REFERENCE} of run {run.run_id} cannot be used ({error}): {way_out}") from error


def _record(settings: Settings, use_case: str, model: ModelIdentity, kept: Kept) -> None:
    row = {
        "use_case": use_case,
        "run_id": model.run_id,
        "model_id": model.model_id,
        "digest": kept.digest,
        "made_at": datetime.now(UTC),
        "rows": kept.profile.rows,
        "profile": kept.content,
    }
    target = table(PROFILES)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            create_table(target, settings)
            _upsert(open_table(target, settings), target.keys, row)
        except CommitFailedError as error:
            if attempt == ATTEMPTS:
                raise ProfilesBusyError(f"{PROFILES} was written by others each time: {error}") from error
            time.sleep(random.uniform(0.05, 1))  # noqa: S311 - so that two do not meet again and again
        else:
            return


def _upsert(delta: DeltaTable, keys: tuple[str, ...], row: dict[str, Any]) -> None:
    rows = pa.Table.from_pylist([row], schema=pa.schema(delta.schema().to_arrow()))
    same = " AND ".join(f"t.{key} = s.{key}" for key in ("use_case", *keys))
    merge = delta.merge(rows, same, source_alias="s", target_alias="t")
    # Equal bytes are left alone, so that a retry writes nothing.
    merge.when_matched_update_all("t.digest <> s.digest").when_not_matched_insert_all().execute()
