"""The command lines of Airflow's own processes; run them with :func:`airflow_environment`."""

from tidemill.config.settings import Settings

SPARK_POOL = "spark"


def initialisation_commands(settings: Settings) -> list[list[str]]:
    """What must have succeeded, in this order, before a service starts; each may be run again at any time."""
    airflow = _airflow(settings)
    description = "Batch jobs that start a Spark driver on this machine"
    return [
        [airflow, "db", "migrate"],
        [airflow, "pools", "set", SPARK_POOL, str(settings.airflow.spark_slots), description],
    ]


def service_commands(settings: Settings) -> dict[str, list[str]]:
    """The four long-running services, by name, in the order in which they start.

    The scheduler's and the triggerer's log servers are off: they would listen on every interface, and the API server
    reads task logs from the same disk.
    """
    airflow = _airflow(settings)
    return {
        "api-server": [airflow, "api-server"],
        "scheduler": [airflow, "scheduler", "--skip-serve-logs"],
        "dag-processor": [airflow, "dag-processor"],
        "triggerer": [airflow, "triggerer", "--skip-serve-logs", "--capacity", "20"],
    }


def _airflow(settings: Settings) -> str:
    return str(settings.airflow.environment / "bin" / "airflow")
