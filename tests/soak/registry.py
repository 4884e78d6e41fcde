"""Somebody deletes the version that is the champion; the way out that the docs name is taken."""

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from tests.soak.traffic import USE_CASE
from tests.troubles.stack import Stack

CHAMPION = "champion"


class ChampionDeletion:
    """Deletes it, and rolls back to the champion before as soon as MLflow and the command allow."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._client = MlflowClient(stack.settings.mlflow.tracking_uri)
        self._deleted = ""
        self._is_rolled_back = False
        self.champion_id = ""

    def delete(self) -> str:
        self._deleted = str(self._client.get_model_version_by_alias(USE_CASE, CHAMPION).version)
        self._client.delete_model_version(USE_CASE, self._deleted)
        return f"version {self._deleted}"

    def is_rolled_back(self) -> bool:
        """Roll back, unless that was done: whether another is the champion now."""
        if not self._is_rolled_back:
            self._stack.tidemill("models", "rollback", USE_CASE, "--reason", "its version was deleted", allowed=(0, 1))
        try:
            champion = self._client.get_model_version_by_alias(USE_CASE, CHAMPION)
        except MlflowException:
            return False
        self.champion_id = champion.source.removeprefix("models:/")
        self._is_rolled_back = str(champion.version) != self._deleted
        return self._is_rolled_back
