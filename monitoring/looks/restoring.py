"""The reference of a champion that has none: from its copy in the lake, else from the examples that its run keeps."""

import hashlib
from collections.abc import Sequence

import duckdb

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import table
from ml_modeling.registry import CHAMPION, NoModelError
from ml_modeling.use_case import UseCase
from monitoring.looks.columns import batch_of, feature_definition, prediction_definition, predictions
from monitoring.looks.reference import PROFILES, Kept, beside, keep
from monitoring.looks.subject import Champion, champion_of
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
    return keep(champion.run, use_case.name, lambda: _made(settings, use_case, champion))


def _made(settings: Settings, use_case: UseCase, champion: Champion) -> TableProfile:
    return _copied(settings, champion) or _of_examples(use_case.spec.columns.roles, champion)


def _copied(settings: Settings, champion: Champion) -> TableProfile | None:
    """The whole profile of the same model in ``gold/model_profiles``, if it is there."""
    try:
        profiles = arrow.source(open_table(table(PROFILES), settings))
    except MissingTableError:
        return None
    identity = champion.subject.identity
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


def _of_examples(categorical: Sequence[str], champion: Champion) -> TableProfile:
    """Of the rows that the run keeps of those it was fitted on: some thousands, not all."""
    definition = feature_definition(champion.spec.features, categorical)
    features = profile_table(champion.examples(), definition)
    said = prediction_definition(champion.spec)
    of_test = predictions(champion.spec, champion.pipeline, champion.test_examples().x)
    return beside(features, profile_batches([batch_of(of_test, said)], said))
