"""The two names that a registered version may have: the champion answers, the challenger may follow it."""

from typing import TYPE_CHECKING

from ml_modeling.registry.connection import MlflowMissingError, connect, mlflow_errors
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"


class NoModelError(MlflowMissingError):
    """The use case has no model behind the alias."""


def alias_version(settings: Settings, use_case: str, alias: str) -> "ModelVersion | None":
    """The registered version behind ``alias``, None when the alias or the model does not exist.

    It is one request, cheap enough to poll.

    Raises:
        MlflowUnavailableError: the registry does not answer.
    """
    client = connect(settings)
    try:
        with mlflow_errors(settings, f"reading alias {alias!r} of model {use_case!r}"):
            return client.get_model_version_by_alias(use_case, alias)
    except MlflowMissingError:
        return None


def model_version(settings: Settings, use_case: str, version: str) -> "ModelVersion":
    """The registered version of a number.

    Raises:
        MlflowUnavailableError: the registry does not answer.
        MlflowMissingError: it has no such version.
    """
    client = connect(settings)
    with mlflow_errors(settings, f"reading version {version} of model {use_case!r}"):
        return client.get_model_version(use_case, version)


def champion_version(settings: Settings, use_case: str) -> str | None:
    """The number of the version behind the alias ``champion``, None when there is none."""
    version = alias_version(settings, use_case, CHAMPION)
    return None if version is None else str(version.version)


def way_out(use_case: str) -> str:
    """What to do about a champion that this project can neither serve nor compare with."""
    return (
        f"`tidemill models rollback {use_case} --reason TEXT` goes back to the champion before it; if there is none, "
        f"`tidemill models retire {use_case} --reason TEXT` takes its alias away and the next gated version can follow"
    )
