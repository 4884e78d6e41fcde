"""An estimator for the end of the demo: it knows nothing, and takes its time."""

import time

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

PAUSE_S = 0.6
A_REQUEST = 20
"""Rows that are asked about one by one; a frame of many is answered at once, or the evaluation would never end."""


class SlowShare(ClassifierMixin, BaseEstimator):
    """Answers the share of frauds it was fitted on, as late as if it asked a service far away."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "SlowShare":
        self.classes_ = np.unique(y)
        self.n_features_in_ = x.shape[1]
        self.shares_ = np.array([np.mean(y == label) for label in self.classes_])
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        if len(x) <= A_REQUEST:
            time.sleep(PAUSE_S)
        return np.tile(self.shares_, (len(x), 1))

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


ESTIMATORS = {"slow_share": SlowShare}
