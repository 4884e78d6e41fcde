"""Traffic by hand."""

from datetime import UTC, datetime

from ml_modeling.registry import ModelIdentity
from monitoring.control import ModelRef, Policy, Rollout, Traffic

AT = datetime(2026, 3, 1, tzinfo=UTC)
CHAMPION = ModelRef("7", "run", "m-1")
CHALLENGER = ModelRef("8", "run-8", "m-8")


def traffic(share: int, challenger: ModelRef | None = CHALLENGER, policy: Policy = Policy.CANARY) -> Traffic:
    return Traffic(policy, CHAMPION, challenger, share)


def rollout(use_case: str, epoch: int, now: Traffic) -> Rollout:
    return Rollout(use_case, epoch, now, AT, AT, "test", "a test", {}, None)


def identity_of(ref: ModelRef) -> ModelIdentity:
    return ModelIdentity(run_id=ref.run_id, model_id=ref.model_id, digest=ref.digest)
