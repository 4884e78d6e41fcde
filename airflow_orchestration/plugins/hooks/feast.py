"""Feast for a task: the platform's commands ask the store, since Airflow's environment has no Feast."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException

from airflow_orchestration.plugins.hooks.platform import PlatformHook, failure
from tidemill.config.settings import load_settings

AT_ONCE = 1_000
"""Rows of one command: they are its arguments, whose length the system bounds."""
FEATURES = ("tidemill", "features")

EntityRow = Mapping[str, str | float]


class FeastHook(BaseHook):  # type: ignore[misc]
    """Reads Feast's online store and registry. All it answers is JSON, which a task may return.

    An online store or a registry that is away raises AirflowException, so that the task is tried again; a name or a key
    that nothing has raises AirflowFailException, with the names there are.
    """

    def get_online_features(self, feature_service: str, entity_rows: Sequence[EntityRow]) -> list[dict[str, Any]]:
        """The features of ``feature_service`` for each of ``entity_rows``, in their order, as of now.

        A row has the key of each entity and a number for each input of the service. Its answer is ``id`` (the row as
        text), ``features`` (a number or None, by name), ``status`` (by feature group: ``OK``, ``NO_STATE``, ``LOST``
        and so on), and ``known_until``: everything that the lake had learnt by then is in them.
        """
        instances = [_instance(row) for row in entity_rows]
        answers: list[dict[str, Any]] = []
        for first in range(0, len(instances), AT_ONCE):
            some = instances[first : first + AT_ONCE]
            answers += self._ask("get", f"--service={feature_service}", "--by-name", "--json", "--", *some)
        return answers

    def list_feature_services(self) -> list[dict[str, Any]]:
        """Each service that was applied: ``name``, ``keys`` and ``inputs`` of a row, ``features``, ``views``."""
        return list(self._ask("list", "--json")["services"])

    def list_feature_views(self) -> list[dict[str, Any]]:
        """Each view that was applied: ``name``, ``keys`` and ``inputs`` of a row, ``features``."""
        return list(self._ask("list", "--json")["views"])

    def _ask(self, *arguments: str) -> Any:
        result = PlatformHook(load_settings()).ask([*FEATURES, *arguments])
        if result.exit_status != 0:
            raise failure([*FEATURES, *arguments[:2]], result)
        return result.document


def _instance(row: EntityRow) -> str:
    if row and all(isinstance(value, str | Real) and not isinstance(value, bool) for value in row.values()):
        return ",".join(f"{name}={value}" for name, value in row.items())
    raise AirflowFailException(f"{dict(row)} names no entity: give it by strings and numbers, {{'customer_id': 'C1'}}")
