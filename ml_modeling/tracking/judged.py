"""The newest run that gates have judged, with whatever verdict."""

from typing import TYPE_CHECKING

from ml_modeling.registry import tags
from ml_modeling.registry.connection import connect, mlflow_errors
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow.entities import Run

NEWEST_FIRST = ["attributes.start_time DESC"]


def newest_judged(settings: Settings, use_case: str) -> "Run | None":
    """The run of a use case whose training began last of those that were judged; None where none was.

    Anybody can tag a run, so that those of other use cases are left out.
    """
    client = connect(settings)
    is_judged = f"tags.`{tags.USE_CASE}` = '{use_case}' AND tags.`{tags.GATE}` LIKE '%'"
    with mlflow_errors(settings, f"looking for the runs of {use_case!r} that were judged"):
        experiment = client.get_experiment_by_name(use_case)
        if experiment is None:
            return None
        where = [experiment.experiment_id]
        return next(iter(client.search_runs(where, is_judged, max_results=1, order_by=NEWEST_FIRST)), None)
