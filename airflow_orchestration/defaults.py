"""What every task of every DAG has in common."""

from datetime import timedelta
from typing import Any

from tidemill.config.settings import load_settings

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "tidemill",
    "retries": 2,
    "retry_delay": timedelta(seconds=load_settings().airflow.retry_delay_s),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(minutes=5),
}
