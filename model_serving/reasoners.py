"""What gives the reasons of a champion's answers."""

import logging
import threading

from ml_modeling.evaluation.columns import UnexplainableModelError
from ml_modeling.evaluation.reasons import Reasoner
from ml_modeling.registry import ServedModel

logger = logging.getLogger(__name__)


class ReasonGiver:
    """The reasoner of one model, made in the background once the model answers, or when it is first asked for."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._made: Reasoner | UnexplainableModelError | None = None

    def prepare(self) -> None:
        """Compute what does not depend on the request."""
        try:
            self.reasoner()
        except UnexplainableModelError as error:
            logger.info("no reasons for version %s of %s: %s", self._model.version, self._model.name, error)

    def reasoner(self) -> Reasoner:
        """Raises UnexplainableModelError when there is none for this model."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
        if isinstance(self._made, UnexplainableModelError):
            raise self._made
        return self._made

    def _make(self) -> Reasoner | UnexplainableModelError:
        model = self._model
        try:
            return Reasoner(model.spec, model.pipeline, model.background)
        except UnexplainableModelError as error:
            return error
        except Exception as error:
            logger.exception("the reasons of version %s of %s failed", model.version, model.name)
            return UnexplainableModelError(f"its reasons cannot be computed: {error}")
