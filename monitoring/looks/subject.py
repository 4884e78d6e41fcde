"""The champion as a look needs it: what it is, what it answers with, and what it learnt from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from feature_store.definitions import Task
from ml_modeling.frames.examples import Examples, to_examples
from ml_modeling.registry import CHAMPION, MlflowMissingError, alias_version, registered
from ml_modeling.registry.served import Serving, download_model
from ml_modeling.tracking import runs
from ml_modeling.tracking.runs import TrainingRun, existing_run
from monitoring.looks.reference import read_reference
from monitoring.looks.results import Subject
from monitoring.profiles import RowSample, TableProfile
from tidemill.config.settings import Settings

IMPORTANCE = "evaluation/shap_importance.json"
SHARES = TypeAdapter(dict[str, float])
SEED = 0


@dataclass(frozen=True)
class Champion:
    """A model, loaded, and the run that made it."""

    subject: Subject
    run: TrainingRun
    spec: Serving
    pipeline: Any

    def reference(self) -> TableProfile:
        """Of the features it learnt from, and of what it said of the test part.

        Raises:
            NoReferenceError: the run has no profile, or a damaged one.
        """
        return read_reference(self.run, self.subject.use_case)

    def importance(self) -> Mapping[str, float]:
        """The mean absolute SHAP value of each feature; empty for a model that was never evaluated."""
        try:
            with self.run.reading_back(IMPORTANCE):
                return SHARES.validate_python(self.run.read_json(IMPORTANCE))
        except MlflowMissingError:
            return {}

    def sample(self, size: int) -> RowSample:
        """At most so many of its examples."""
        return RowSample.of(examples(self.run, self.spec), size, np.random.default_rng(SEED))

    def test_examples(self) -> Examples:
        """Of the part that it was tested on, with their labels."""
        return test_examples(self.run, self.spec)


def examples(run: TrainingRun, spec: Serving) -> pa.Table:
    """The features of some of the rows that a model was fitted on, as its run keeps them."""
    with run.reading_back(runs.REFERENCE_EXAMPLES):
        rows = run.read_rows(runs.REFERENCE_EXAMPLES)[list(spec.features)].astype("float64")
        return pa.Table.from_pandas(rows, preserve_index=False)


def test_examples(run: TrainingRun, spec: Serving) -> Examples:
    """Of the part that a model was tested on, with their labels."""
    with run.reading_back(runs.TEST_EXAMPLES):
        return to_examples(run.read_rows(runs.TEST_EXAMPLES), spec.features, Task(spec.task))


def champion_of(settings: Settings, use_case: str) -> Champion | None:
    """The champion of a use case; None when it has none.

    Raises:
        UnusableRunError: its run is not one of this project's.
        UnreadableModelError: its files are not those that were trained.
    """
    version = alias_version(settings, use_case, CHAMPION)
    if version is None:
        return None
    model = registered(version)
    run = existing_run(settings, use_case, model.identity.run_id)
    spec, pipeline = download_model(settings, str(version.source), str(model), model.identity.digest)
    return Champion(Subject(use_case, model.version, model.identity), run, spec, pipeline)
