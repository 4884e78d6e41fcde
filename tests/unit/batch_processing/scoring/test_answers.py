"""Answers of any task as Arrow columns, with those of a cold start between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from batch_processing.scoring.answers import FIELDS, answering, fields
from ml_modeling.registry.answers import ClassScores, Scores, Values
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.registry.served import ServedModel, ServingSpec

IS_KNOWN = np.array([True, False, True])


@dataclass(frozen=True)
class InMemory:
    """A model in the place of one that is read from disk."""

    served: ServedModel

    def load(self) -> ServedModel:
        return self.served


def stored(pipeline: object, features: Sequence[str]) -> InMemory:
    spec = ServingSpec(
        use_case="churn",
        feature_service="churn",
        feature_fingerprint="00",
        features=tuple(features),
        threshold=0.5,
        decisions=("stays", "churns"),
        cold_start_score=0.375,
    )
    return InMemory(
        ServedModel(
            "churn", "1", "champion", ModelIdentity(run_id="run", model_id="model", digest="00"), spec, pipeline
        )
    )


@pytest.mark.parametrize("known", [None, [True, False, True]], ids=["everybody is known", "one is not"])
def test_the_model_is_asked_about_whom_it_knows_by_the_names_of_its_features(known: list[bool] | None) -> None:
    fitted = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]] * 9, [0, 1] * 9)
    names, columns = ["who", "b", "a"], [["x", "y", "z"], [5.0, 0.1, 0.2], [0.3, 0.9, -4.0]]
    batch = pa.RecordBatch.from_arrays([pa.array(column) for column in columns], names=names)
    if known is not None:
        batch = batch.append_column("is_known", pa.array(known))
    (found,) = answering(stored(fitted, ["a", "b"]), ["who"])(iter([batch]))
    scores = fitted.predict_proba(np.array([columns[2], columns[1]]).T)[:, 1]
    expected = np.where(known or [True] * 3, scores, 0.375)
    assert found.schema.names == ["who", *FIELDS]
    assert found["who"].to_pylist() == ["x", "y", "z"]
    assert found["score"].to_pylist() == pytest.approx(expected.tolist(), rel=1e-12)
    assert found["decision"].to_pylist()[0] == ("churns" if scores[0] >= 0.5 else "stays")


def listed(asked: Scores | ClassScores | Values | None, cold: Scores | ClassScores | Values, known: object) -> object:
    columns = fields(asked, cold, np.asarray(known))
    assert [column.type for column in columns] == list(FIELDS.values())
    return {name: column.to_pylist() for name, column in zip(FIELDS, columns, strict=True)}


def test_the_unknown_have_the_answer_of_a_cold_start_at_their_place() -> None:
    asked = Scores(np.array([0.1, 0.9]), ("stays", "churns"))
    assert listed(asked, Scores(np.array([0.375]), ()), IS_KNOWN) == {
        "score": [0.1, 0.375, 0.9],
        "scores": [None] * 3,
        "value": [None] * 3,
        "interval": [None] * 3,
        "decision": ["stays", None, "churns"],
    }


def test_classes_have_a_score_each() -> None:
    asked = ClassScores(("low", "high"), np.array([[0.75, 0.25], [0.5, 0.5]]), ("low", "low"))
    found = listed(asked, ClassScores(("low", "high"), np.array([[0.25, 0.75]]), ("high",)), IS_KNOWN)
    assert found == {
        "score": [None] * 3,
        "scores": [
            [("low", 0.75), ("high", 0.25)],
            [("low", 0.25), ("high", 0.75)],
            [("low", 0.5), ("high", 0.5)],
        ],
        "value": [None] * 3,
        "interval": [None] * 3,
        "decision": ["low", "high", "low"],
    }


def test_numbers_have_their_interval_and_a_cold_start_has_none() -> None:
    asked = Values(np.array([3.0, 7.0]), np.array([1.0, 5.0]), np.array([4.0, 9.0]))
    found = listed(asked, Values(np.array([1.5]), None, None), IS_KNOWN)
    assert found == {
        "score": [None] * 3,
        "scores": [None] * 3,
        "value": [3.0, 1.5, 7.0],
        "interval": [[1.0, 4.0], None, [5.0, 9.0]],
        "decision": [None] * 3,
    }


def test_a_batch_of_unknown_ones_asks_no_model() -> None:
    found = listed(None, Scores(np.array([0.375]), ("stays",)), [False, False])
    assert (found["score"], found["decision"]) == ([0.375] * 2, ["stays"] * 2)


def test_a_batch_without_rows_has_none() -> None:
    cold = Scores(np.array([0.375]), ())
    assert listed(None, cold, np.zeros(0, dtype=bool)) == {name: [] for name in FIELDS}
