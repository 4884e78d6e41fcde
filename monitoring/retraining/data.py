"""Whether what a model is to learn from is as expected."""

from batch_processing.quality.gate import NotAsExpectedError, critical_failures, refuse
from data_lake.expectations import suites_of
from ml_modeling.tables_read import tables_read
from ml_modeling.use_case import UseCase
from monitoring.retraining.errors import DataNotAsExpectedError
from tidemill.config.settings import Settings


def require_good_data(settings: Settings, use_case: UseCase) -> None:
    """Nothing when no table that ``use_case`` reads fails a critical expectation, by what was judged last.

    Raises:
        DataNotAsExpectedError: one does.
    """
    suites = [suite for name in tables_read(use_case) for suite in suites_of(name)]
    try:
        refuse(critical_failures(settings, suites))
    except NotAsExpectedError as error:
        raise DataNotAsExpectedError(f"{use_case.name} is not trained: {error}") from error
