"""What the stages note in a request, and how the next one reads it: as input, since anybody may write to the store."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from monitoring.control import RetrainRequest, State
from monitoring.retraining.errors import UnusableProgressError


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def document(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class Trained(Note):
    """``policy`` is what it was trained by, ``found`` that the run of an earlier holder was taken."""

    run_id: str = Field(min_length=1)
    experiment_id: str = Field(min_length=1)
    policy: dict[str, Any]
    found: bool = False


class Gated(Note):
    """``champion`` is the version that it was compared with."""

    run_id: str = Field(min_length=1)
    passed: bool
    champion: str | None
    reasons: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


Kind = TypeVar("Kind", bound=Note)


def noted(request: RetrainRequest, state: State, kind: type[Kind]) -> Kind:
    """What was noted when the request came to ``state``.

    Raises:
        UnusableProgressError: nothing was, or something else.
    """
    try:
        return kind.model_validate(request.progress[state.value])
    except KeyError as error:
        raise UnusableProgressError(f"request {request.id} is {request.state} and has no note of {state}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UnusableProgressError(
            f"request {request.id}: its note of {state} is not one of ours ({first['loc']}: {first['msg']})"
        ) from error
