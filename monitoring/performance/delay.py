"""How long it takes until a label is known: the question's horizon, or what the labels of a training took."""

from collections.abc import Mapping
from datetime import timedelta

from feature_store.definitions import Absence, FutureAggregate
from ml_modeling.frames.periods import EMBARGO
from ml_modeling.tracking.runs import UnusableRunError
from ml_modeling.use_case import UseCase


def label_delay(use_case: UseCase, params: Mapping[str, str]) -> timedelta:
    """Within which nearly all labels come; ``params`` are those of a training run of the use case.

    Raises:
        UnusableRunError: the run does not say it.
    """
    question = use_case.question
    if isinstance(question, Absence | FutureAggregate):
        return question.horizon
    try:
        return timedelta(days=int(params[EMBARGO]))
    except (KeyError, ValueError, OverflowError) as error:
        found = params.get(EMBARGO)
        raise UnusableRunError(f"the run's parameter {EMBARGO} = {found!r}: whole days are wanted") from error
