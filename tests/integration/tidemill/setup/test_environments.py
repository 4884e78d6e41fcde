"""The environments that ``make`` made of the locked packages."""

from tidemill.config import Settings
from tidemill.setup.environments import make_airflow, make_flink


def test_those_that_are_whole_are_left_alone(settings: Settings) -> None:
    said: list[str] = []
    assert make_airflow(settings, said.append) == settings.airflow.environment
    assert make_flink(settings, said.append) == settings.flink.environment
    assert said == []
