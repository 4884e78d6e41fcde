"""How good is a model now, before anybody can tell: the expected metric with an interval, or that it cannot be known.

These see covariate drift. A concept that moved, the same inputs with other outcomes, is not in the inputs: only matured
outcomes show it, so an estimate never stands in for them.
"""

from monitoring.estimates.classification import ScoreCalibration
from monitoring.estimates.known_region import KnownRegion
from monitoring.estimates.regression import LossModel
from monitoring.estimates.result import CalibrationError, CannotKnow, LabelFree

__all__ = ["CalibrationError", "CannotKnow", "KnownRegion", "LabelFree", "LossModel", "ScoreCalibration"]
