"""Whether what ``fairness`` of a ``model.yaml`` names is there, and is nothing that the model reads."""

from pathlib import Path

from feature_store.definitions import FeatureService, Question
from ml_modeling.fairness.sensitive import reading_features
from ml_modeling.specification import BinarySpec, Fairness, ModelSpec, SpecificationError
from tidemill.contracts.columns import data_columns
from tidemill.contracts.registry import contract, contracts

GROUPED = ("STRING", "BOOLEAN")
"""The types of columns whose values are groups."""


def check_fairness(file: Path, spec: ModelSpec, service: FeatureService, question: Question) -> None:
    """Raises SpecificationError with the key that does not fit."""
    fairness = spec.fairness
    if fairness is None:
        return
    _check_profile(file, fairness, question)
    for column, reader in reading_features(service, fairness.columns):
        if column not in fairness.as_features:
            raise SpecificationError(
                f"{file}: fairness.columns: {column} is sensitive, and {reader} reads it: take that out of "
                f"features.py, or name {column} in fairness.as_features"
            )
    _check_mitigation(file, spec, fairness)


def _check_profile(file: Path, fairness: Fairness, question: Question) -> None:
    if fairness.profile not in contracts():
        there = ", ".join(contracts())
        raise SpecificationError(f"{file}: fairness.profile: no contract {fairness.profile!r}; known: {there}")
    types = {column.name: column.sql_type for column in data_columns(contract(fairness.profile))}
    key = question.entity.key
    if key not in types:
        raise SpecificationError(
            f"{file}: fairness.profile: {fairness.profile} has no {key}, which labels.py asks about: name a contract "
            f"that says something of a {question.entity.name}"
        )
    known = [name for name, kind in types.items() if kind in GROUPED and name != key]
    if unknown := [name for name in fairness.columns if name not in known]:
        raise SpecificationError(
            f"{file}: fairness.columns: {', '.join(unknown)} is no text or yes-or-no of {fairness.profile}; "
            f"it has {', '.join(known)}"
        )


def _check_mitigation(file: Path, spec: ModelSpec, fairness: Fairness) -> None:
    if fairness.mitigation is None:
        return
    where = f"{file}: fairness.mitigation"
    if fairness.mitigation.candidate not in spec.candidates:
        there = ", ".join(spec.candidates)
        raise SpecificationError(
            f"{where}.candidate: {fairness.mitigation.candidate} is not one of the candidates {there}"
        )
    if isinstance(spec, BinarySpec) and spec.class_weights is not None:
        raise SpecificationError(f"{where}: it weighs the examples itself: leave class_weights out")
