"""A sensor that waits for Delta commits its DAG has not handled."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_orchestration.plugins.hooks.delta import Commit, from_json, has_new, latest_commits, to_json
from airflow_orchestration.plugins.hooks.handled_commits import handled_commits
from airflow_orchestration.plugins.triggers.delta_commit import DeltaCommitTrigger
from tidemill.config.settings import load_settings


class DeltaCommitSensor(BaseSensorOperator):  # type: ignore[misc]
    """Waits until one of ``tables`` has a commit past the last that this DAG recorded as handled.

    It looks once, then waits in the triggerer, without a worker, for ``timeout``; after that it is skipped
    (``soft_fail``) or failed. A run that a person or the REST API started does not wait: it goes on with what is there.
    XCom: the commits found, for :class:`RecordHandledOperator` at the end of the run.
    """

    ui_color = "#e6f1f2"

    def __init__(self, *, tables: Sequence[str], soft_fail: bool = True, **kwargs: Any) -> None:
        super().__init__(soft_fail=soft_fail, **kwargs)
        self.tables = tuple(tables)

    def execute(self, context: Context) -> Any:
        handled = handled_commits(self.dag_id)
        latest = latest_commits(load_settings(), self.tables)
        if context["dag_run"].run_type == "manual":
            return self._found_by_hand(latest)
        if has_new(latest, handled):
            return self._found(latest)
        if self.timeout == 0:
            self._give_up(handled)
        self.log.info("nothing new after %s, waiting up to %.0f s", _shown(handled), self.timeout)
        deadline = time.time() + self.timeout
        trigger = DeltaCommitTrigger(self.tables, to_json(handled), self.poke_interval, deadline)
        raise TaskDeferred(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Called with the trigger's event: the commits found, or None after the timeout."""
        if event["commits"] is None:
            self._give_up(handled_commits(self.dag_id))
        return self._found(from_json(event["commits"]))

    def _found_by_hand(self, latest: Mapping[str, Commit]) -> Any:
        if not latest:
            raise AirflowFailException(
                f"none of {', '.join(self.tables)} exists in {load_settings().lake_root}: has the stream run?"
            )
        return self._found(latest)

    def _found(self, latest: Mapping[str, Commit]) -> Any:
        self.log.info("going on with %s", _shown(latest))
        return to_json(latest)

    def _give_up(self, handled: Mapping[str, Commit]) -> None:
        message = f"no commit in {', '.join(self.tables)} after {_shown(handled)} within {self.timeout:.0f} s"
        raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)


def _shown(commits: Mapping[str, Commit]) -> str:
    return ", ".join(f"{name} version {commit.version}" for name, commit in commits.items()) or "the beginning"
