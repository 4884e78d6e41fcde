"""An operator that registers the model of a training run in MLflow."""

from typing import Any

from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator


class MlflowRegisterOperator(PlatformCommandOperator):
    """Registers the model of ``run_id``, a run of ``use_case`` that passed its gates, as challenger.

    It is what `tidemill models register` does, so a run that was not gated, or failed a gate, fails the task with the
    reasons, and a run has one version: a task that is tried again, or cleared, returns the same. It promotes nothing.
    ``use_case`` and ``run_id`` may be templates or the output of a task.

    XCom: the version as ``version``, beside ``name``, ``aliases``, ``run_id``, ``model_id``, ``digest``,
    ``passed_gates``, ``created_at`` and the ``metrics`` of the test part.
    """

    def __init__(self, *, use_case: str, run_id: str, **kwargs: Any) -> None:
        command = ["tidemill", "models", "register", use_case, "--run", run_id, "--json"]
        super().__init__(command=command, **kwargs)
