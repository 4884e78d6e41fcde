"""The reference of a model that has none: from its copy in the lake, else from the examples that its run keeps."""

import hashlib
from collections.abc import Sequence

import duckdb

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import table
from ml_modeling.registry import CHAMPION, ModelIdentity, NoModelError
from ml_modeling.tracking.runs import TrainingRun
from ml_modeling.use_case import UseCase
from monitoring.looks.columns import batch_of, feature_definition, prediction_definition, predictions
from monitoring.looks.reference import PROFILES, Kept, beside, keep
from monitoring.looks.subject import champion_of, examples, test_examples
from monitoring.profiles import TableProfile, UnreadableProfileError, from_bytes, profile_batches, profile_table
from tidemill.config.settings import Settings


def restore(settings: Settings, use_case: UseCase) -> Kept:
    """The reference of the champion, which is made when its run has no whole one.

    Raises:
        NoModelError: there is no champion.
        UnusableRunError: the run's examples are not as they were written.
    """
    champion = champion_of(settings, use_case.name)
    if champion is None:
        raise NoModelError(f"model {use_case.name!r} has no {CHAMPION}: train and promote one")
    return restore_of(champion.run, use_case)


def restore_of(run: TrainingRun, use_case: UseCase) -> Kept:
    """The reference of the model of a finished run, which is made when the run has no whole one; raises as above."""
    return keep(run, use_case.name, lambda: _made(run, use_case))


def _made(run: TrainingRun, use_case: UseCase) -> TableProfile:
    return _copied(run.settings, run.model()) or _of_examples(run, use_case.spec.columns.roles)


def _copied(settings: Settings, identity: ModelIdentity) -> TableProfile | None:
    """The whole profile of the same model in ``gold/model_profiles``, if it is there."""
    try:
        profiles = arrow.source(open_table(table(PROFILES), settings))
    except MissingTableError:
        return None
    with duckdb.connect() as connection:
        connection.register("profiles", profiles)
        rows = connection.execute(COPY, [identity.run_id, identity.model_id]).fetchall()
    for digest, content in rows:
        if hashlib.sha256(content).hexdigest() == digest:
            try:
                return from_bytes(content)
            except UnreadableProfileError:  # of another version: made anew
                return None
    return None


COPY = "SELECT digest, profile FROM profiles WHERE run_id = ? AND model_id = ?"


def _of_examples(run: TrainingRun, categorical: Sequence[str]) -> TableProfile:
    """Of the rows that the run keeps of those it was fitted on: some thousands, not all."""
    spec, pipeline = run.read_model()
    definition = feature_definition(spec.features, categorical)
    features = profile_table(examples(run, spec), definition)
    said = prediction_definition(spec)
    of_test = predictions(spec, pipeline, test_examples(run, spec).x)
    return beside(features, profile_batches([batch_of(of_test, said)], said))
