"""What a rollout is conducted with."""

from dataclasses import dataclass
from datetime import timedelta

from ml_modeling.registry.versions import Version
from ml_modeling.specification import Rollout as RolloutSpec
from ml_modeling.use_case import UseCase
from monitoring.control import ControlStore, ModelRef
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class Place:
    """Where the rollouts of the use case ``name`` are, and ``who`` acts. To end one needs no more: no definition."""

    settings: Settings
    store: ControlStore
    name: str
    who: str

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.settings.control.lease_s)


@dataclass(frozen=True)
class Work:
    """A place, and the use case as it is defined."""

    place: Place
    use_case: UseCase

    @property
    def spec(self) -> RolloutSpec:
        return self.use_case.spec.rollout


def model_ref(version: Version) -> ModelRef:
    """A version as the control store names it."""
    return ModelRef(version.version, version.run_id, version.model_id, version.digest)


def is_of(version: Version | None, model: ModelRef | None) -> bool:
    """Whether a registered version is that very model, under that very number."""
    return version is not None and model is not None and model_ref(version) == model
