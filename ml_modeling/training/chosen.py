"""The candidate and the parameters that a training chose, read back from its run, and a search that has only these."""

from dataclasses import replace

from pydantic import TypeAdapter

from ml_modeling.candidates.parameters import refused_candidates
from ml_modeling.specification import SearchSpace
from ml_modeling.tracking import runs
from ml_modeling.tracking.runs import TrainingRun
from ml_modeling.training.tuning import Trial, best
from ml_modeling.use_case import UseCase
from tidemill.config.errors import TerminalError

TRIALS = TypeAdapter(list[Trial])


class NotToBeFixedError(TerminalError):
    """Parameters that cannot be taken as they are; the message says why."""


def chosen_trial(run: TrainingRun) -> Trial:
    """The trial whose candidate and parameters the run's model was fitted with.

    Raises:
        UnusableRunError: the run has no trials, or they are not as they were written.
    """
    with run.reading_back(runs.TRIALS):
        return best(TRIALS.validate_python(run.read_json(runs.TRIALS)))


def fixed_to(use_case: UseCase, trial: Trial) -> UseCase:
    """The use case with one candidate, whose parameters are those of ``trial``: nothing is left to search.

    Raises:
        NotToBeFixedError: ``model.yaml`` has no such candidate any more, or its library takes other parameters by now.
    """
    spec, again = use_case.spec, "ask with the parameters `tune`"
    if trial.candidate not in spec.candidates:
        raise NotToBeFixedError(
            f"{use_case.name}: {trial.candidate} is none of the candidates of model.yaml, or a mitigation, whose "
            f"strength is searched for: {again}"
        )
    space: SearchSpace = {name: [value] for name, value in trial.parameters.items()}
    candidates = {trial.candidate: space}
    if refused := refused_candidates(candidates, use_case.recipe):
        raise NotToBeFixedError(f"{use_case.name}: {'; '.join(f'{key}: {why}' for key, why in refused)}; {again}")
    fairness = spec.fairness.model_copy(update={"mitigation": None}) if spec.fairness else None
    search = spec.search.model_copy(update={"trials": 1})
    return replace(
        use_case,
        spec=spec.model_copy(update={"candidates": candidates, "fairness": fairness, "search": search}),
    )
