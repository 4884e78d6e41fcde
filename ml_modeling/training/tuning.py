"""The search: every candidate gets its share of the trials, the best on the validation part wins."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml_modeling.fairness.limits import excess
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.specification import ModelSpec, Range, SearchSpace
from ml_modeling.training.fitting import Fitting
from tidemill.config.errors import TerminalError


class SearchError(TerminalError):
    """A search without a result, or a parameter that a candidate does not take."""


@dataclass(frozen=True)
class Trial:
    """One fitted and validated set of parameters; the highest score is the best, also where the metric is an error.

    ``excess`` is by how much its groups lie further apart than they may, where a mitigation takes part in the search.
    """

    candidate: str
    parameters: Mapping[str, Any]
    score: float
    seconds: float
    excess: float = 0.0


Progress = Callable[[int, int, Trial, Trial], None]


def search(train: Examples, validation: Examples, fitting: Fitting, progress: Progress) -> list[Trial]:
    """The trials in the order they ran; :func:`best` picks the winner.

    Candidates take turns, each with its own seeded TPE sampler (Bergstra et al. 2011), so that a time budget cut
    short is shared too. The first round always runs: every candidate is tried at least once.
    """
    started, spec = time.monotonic(), fitting.task.spec
    contenders = [_Contender(name, space, fitting) for name, space in fitting.contenders.items()]
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
    """The highest score of the trials whose groups lie within the limits, or come nearest; of equal ones the first."""
    return max(trials, key=lambda trial: (-trial.excess, trial.score))


def cost_of_limits(spec: ModelSpec, trials: Sequence[Trial]) -> Mapping[str, str]:
    """What the search gave up on the validation part so that groups keep within the limits, as a run's parameter."""
    if spec.fairness is None or spec.fairness.mitigation is None:
        return {}
    chosen, highest = best(list(trials)), max(trials, key=lambda trial: trial.score)
    kept = f"{chosen.excess:.3f} beyond the limits" if chosen.excess else "within the limits"
    return {
        "fairness.cost": f"{spec.search.metric} {chosen.score - highest.score:+.4f} on validation: {chosen.score:.4f}, "
        f"{kept}, where {highest.candidate} had {highest.score:.4f}, {highest.excess:.3f} beyond them"
    }


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
        scores = task.predict(fitted.pipeline, validation.x)
        score, beyond = task.rank(task.spec.search.metric, validation, scores), self._excess(validation, scores)
        self._study.tell(asked, -beyond if beyond else score)
        return Trial(self._candidate, fitted.parameters, score, time.monotonic() - started, beyond)

    def _excess(self, validation: Examples, scores: Floats) -> float:
        task, fairness = self._fitting.task, self._fitting.task.spec.fairness
        if fairness is None or fairness.mitigation is None:
            return 0.0
        return excess(task.name, validation, task.scoring(scores, task.rule(validation, scores)), fairness)


def _distribution(choice: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(choice, Range):
        return CategoricalDistribution(choice if isinstance(choice, list) else [choice])
    if choice.is_whole:
        return IntDistribution(int(choice.low), int(choice.high), log=choice.log)
    return FloatDistribution(choice.low, choice.high, log=choice.log)
