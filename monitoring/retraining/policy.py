"""By what data and by which search a request is trained."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_modeling.registry import CHAMPION
from ml_modeling.registry.versions import behind_alias
from ml_modeling.specification import Parameters, Retraining
from ml_modeling.tracking.runs import existing_run
from ml_modeling.training.chosen import chosen_trial, fixed_to
from ml_modeling.use_case import UseCase
from monitoring.retraining.errors import UnusablePolicyError
from tidemill.config.settings import Settings


class RetrainPolicy(BaseModel):
    """What a request says of its training; what it leaves out is as in the use case's ``model.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_days: int | None = Field(default=None, ge=1)
    parameters: Parameters | None = None
    trials: int | None = Field(default=None, ge=1)
    timeout_s: float | None = Field(default=None, ge=1)

    @property
    def said(self) -> Mapping[str, Any]:
        """What it does not leave out, as the control store keeps it."""
        return self.model_dump(exclude_none=True)

    def completed_by(self, defaults: Retraining) -> "RetrainPolicy":
        """This policy with what ``model.yaml`` says where it says nothing."""
        own = {"window_days": defaults.window_days, "parameters": defaults.parameters}
        return self.model_copy(update={**own, **self.said})

    @property
    def window(self) -> timedelta | None:
        return None if self.window_days is None else timedelta(days=self.window_days)


def read_policy(policy: Mapping[str, Any]) -> RetrainPolicy:
    """The policy of a request.

    Raises:
        UnusablePolicyError: a key is unknown or has a bad value.
    """
    try:
        return RetrainPolicy.model_validate(policy)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise UnusablePolicyError(f"the policy of the request cannot be trained by: {wrong}") from error


def by_policy(settings: Settings, use_case: UseCase, policy: RetrainPolicy) -> UseCase:
    """The use case with the window and the search of ``policy``; without a champion, whose parameters are searched for.

    Raises:
        UnusableRunError: the champion's run has no parameters that can be read.
        NotToBeFixedError: its parameters cannot be taken as they are.
    """
    asked = use_case.with_budget(policy.trials, policy.timeout_s).within(policy.window)
    champion = behind_alias(settings, use_case.name, CHAMPION) if policy.parameters == "champions" else None
    if champion is None:
        return asked
    return fixed_to(asked, chosen_trial(existing_run(settings, use_case.name, champion.run_id)))
