"""On what automatic sources may ask for a new model of a use case."""

from ml_modeling.use_case import load_use_case
from monitoring.control import Limits


def limits_of(use_case: str) -> Limits:
    """What ``retraining`` of its ``model.yaml`` says."""
    declared = load_use_case(use_case).spec.retraining
    return Limits(declared.cool_down, declared.per_day)
