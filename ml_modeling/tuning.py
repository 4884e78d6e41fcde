"""The search: every candidate gets its share of the trials, the best on the validation part wins."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ml_modeling.examples import Examples
from ml_modeling.fitting import Fitting
from ml_modeling.specification import Range, SearchSpace
from tidemill.config.errors import TerminalError


class SearchError(TerminalError):
    """A search without a result, or a parameter that a candidate does not take."""


@dataclass(frozen=True)
class Trial:
    """One fitted and validated set of parameters; the highest score is the best, also where the metric is an error."""

    candidate: str
    parameters: Mapping[str, Any]
    score: float
    seconds: float


Progress = Callable[[int, int, Trial, Trial], None]


def search(train: Examples, validation: Examples, fitting: Fitting, progress: Progress) -> list[Trial]:
    """The trials in the order they ran; :func:`best` picks the winner.

    Candidates take turns, each with its own seeded TPE sampler (Bergstra et al. 2011), so that a time budget cut
    short is shared too. The first round always runs: every candidate is tried at least once.
    """
    started, spec = time.monotonic(), fitting.task.spec
    contenders = [_Contender(name, space, fitting) for name, space in spec.candidates.items()]
    wanted = max(spec.search.trials, len(contenders))
    trials: list[Trial] = []
    for number in range(wanted):
        in_first_round = number < len(contenders)
        if not in_first_round and time.monotonic() - started > spec.search.timeout_s:
            break
        trials.append(contenders[number % len(contenders)].run(train, validation))
        progress(len(trials), wanted, trials[-1], best(trials))
    return trials


def best(trials: list[Trial]) -> Trial:
    """The trial with the highest score; of equal ones the first."""
    return max(trials, key=lambda trial: trial.score)


class _Contender:
    """One candidate and what its trials so far say about its parameters."""

    def __init__(self, candidate: str, space: SearchSpace, fitting: Fitting) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=fitting.task.spec.search.seed, n_startup_trials=4)
        self._candidate = candidate
        self._fitting = fitting
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._distributions = {name: _distribution(choice) for name, choice in space.items()}

    def run(self, train: Examples, validation: Examples) -> Trial:
        started = time.monotonic()
        asked = self._study.ask(self._distributions)
        task = self._fitting.task
        try:
            fitted = self._fitting.fit_validated(self._candidate, asked.params, train, validation)
        except Exception as error:  # each library has its own
            raise SearchError(f"candidate {self._candidate} cannot be trained with {asked.params}: {error}") from error
        score = task.rank(task.spec.search.metric, validation, task.predict(fitted.pipeline, validation.x))
        self._study.tell(asked, score)
        return Trial(self._candidate, fitted.parameters, score, time.monotonic() - started)


def _distribution(choice: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(choice, Range):
        return CategoricalDistribution(choice if isinstance(choice, list) else [choice])
    if choice.is_whole:
        return IntDistribution(int(choice.low), int(choice.high), log=choice.log)
    return FloatDistribution(choice.low, choice.high, log=choice.log)
