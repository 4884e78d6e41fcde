"""The runs that were trained for a retrain request: whoever takes it over finds what was done already."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ml_modeling.registry import tags
from ml_modeling.registry.connection import connect, mlflow_errors, search
from ml_modeling.registry.identity import logged_model
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Run

OLDEST_FIRST = ["attributes.start_time ASC"]
PAGE = 500

log = logging.getLogger(__name__)


def marks_of(request_id: str, token: int) -> dict[str, str]:
    """The tags of a run that is trained for a request by the holder of ``token``."""
    return {tags.REQUEST: request_id, tags.LEASE: str(token)}


def trained_run(settings: Settings, use_case: str, request_id: str) -> str | None:
    """The first run of a request that was trained to its end; None when there is none."""
    runs = _runs_of(settings, use_case, request_id)
    whole = (run for run in runs if run.info.status == "FINISHED" and logged_model(run) is not None)
    return next((str(run.info.run_id) for run in whole), None)


def end_overtaken(settings: Settings, use_case: str, request_id: str, token: int) -> None:
    """Marks the request's unfinished runs of outdated tokens as KILLED: nothing that they lead to counts any more."""
    for run in _runs_of(settings, use_case, request_id):
        if run.info.status != "RUNNING" or _token_of(run) >= token:
            continue
        client, run_id = connect(settings), run.info.run_id
        with mlflow_errors(settings, f"ending run {run_id}, whose trainer was overtaken"):
            client.set_tag(run_id, tags.ERROR, f"its trainer was overtaken by the holder of token {token}")
            client.set_terminated(run_id, "KILLED")


def _runs_of(settings: Settings, use_case: str, request_id: str) -> "Iterator[Run]":
    """Oldest first; anybody can tag a run, so that those of other use cases are left out."""
    client = connect(settings)
    with mlflow_errors(settings, f"looking for the runs of request {request_id}"):
        experiment = client.get_experiment_by_name(use_case)
        if experiment is None:
            return
        where, of_it = [experiment.experiment_id], f"tags.`{tags.REQUEST}` = '{request_id}'"
        runs: list[Run] = list(
            search(
                lambda token: client.search_runs(
                    where, of_it, max_results=PAGE, order_by=OLDEST_FIRST, page_token=token
                )
            )
        )
    yield from (run for run in runs if run.data.tags.get(tags.USE_CASE) == use_case)


def _token_of(run: "Run") -> int:
    stored = run.data.tags.get(tags.LEASE, "")
    if stored.isdecimal():
        return int(stored)
    log.warning("run %s has no number in its tag %s: it counts as outdated", run.info.run_id, tags.LEASE)
    return 0
