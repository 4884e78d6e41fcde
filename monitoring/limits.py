"""On what automatic sources may ask for a new model of a use case."""

from ml_modeling.use_case import UseCase
from monitoring.control import Limits


def limits_of(use_case: UseCase) -> Limits:
    """What ``retraining`` of its ``model.yaml`` says."""
    declared = use_case.spec.retraining
    return Limits(declared.cool_down, declared.per_day)
