"""A sensor that waits for a retrain request that nobody works on."""

import time
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred

from airflow_orchestration.plugins.hooks.platform import failure
from airflow_orchestration.plugins.hooks.retrain_requests import NoAnswerError, question, waiting_request
from airflow_orchestration.plugins.triggers.retrain_request import RetrainRequestTrigger
from tidemill.config.settings import load_settings


class RetrainRequestSensor(BaseSensorOperator):  # type: ignore[misc]
    """Waits until a request of ``use_case`` is open that nobody holds.

    It looks once, then waits in the triggerer, without a worker, for ``timeout``; after that it is skipped
    (``soft_fail``) or failed. A run that a person or the REST API started does not wait. Nothing is claimed by looking:
    what is found may be another's by the time it is claimed. XCom: the request's id.
    """

    ui_color = "#e6f1f2"

    def __init__(self, *, use_case: str, soft_fail: bool = True, **kwargs: Any) -> None:
        super().__init__(soft_fail=soft_fail, **kwargs)
        self.use_case = use_case

    def execute(self, context: Context) -> Any:
        try:
            request_id = waiting_request(load_settings(), self.use_case)
        except NoAnswerError as error:
            raise failure(question(self.use_case), error.result) from error
        if request_id is not None:
            return self._go_on_with(request_id)
        if context["dag_run"].run_type == "manual":
            raise AirflowSkipException(
                f"no open request of {self.use_case} waits: ask for a model by "
                f'`tidemill retrain request {self.use_case} --reason "..."`'
            )
        if self.timeout == 0:
            self._give_up()
        self.log.info("no open request of %s, waiting up to %.0f s", self.use_case, self.timeout)
        trigger = RetrainRequestTrigger(self.use_case, self.poke_interval, time.time() + self.timeout)
        raise TaskDeferred(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Called with the trigger's event: the id of the request, or None after the timeout."""
        if event["request_id"] is None:
            self._give_up()
        return self._go_on_with(event["request_id"])

    def _go_on_with(self, request_id: str) -> str:
        self.log.info("request %s waits", request_id)
        return request_id

    def _give_up(self) -> None:
        message = f"no open request of {self.use_case} within {self.timeout:.0f} s"
        raise AirflowSkipException(message) if self.soft_fail else AirflowSensorTimeout(message)
