from datetime import timedelta

from monitoring.control import Limits, limits
from tidemill.config import load_settings


def test_limits_are_those_of_the_settings() -> None:
    assert limits(load_settings({})) == Limits()
    changed = load_settings({"TIDEMILL_CONTROL__COOL_DOWN_H": "1.5", "TIDEMILL_CONTROL__REQUESTS_PER_DAY": "9"})
    assert limits(changed) == Limits(timedelta(minutes=90), 9)
