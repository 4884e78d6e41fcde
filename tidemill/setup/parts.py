"""The parts of set-up, each made where the settings look for it, and only where it is not there already."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tidemill.config.installation import IS_CLONE
from tidemill.config.settings import Settings
from tidemill.setup.classes import archive_classes
from tidemill.setup.environments import make_airflow, make_flink
from tidemill.setup.jars import fetch_jars
from tidemill.setup.nifi import make_nifi
from tidemill.setup.packages import link_packages

Report = Callable[[str], None]


def _with_its_jars(settings: Settings, report: Report) -> Path:
    """Flink's environment, which has Flink itself, and the connector that it lacks."""
    fetch_jars(settings, report, ["flink"])
    return make_flink(settings, report)


def _flume(settings: Settings, report: Report) -> Path:
    return fetch_jars(settings, report, ["flume"]) / "flume"


PARTS: dict[str, Callable[[Settings, Report], Path]] = {
    "jars": fetch_jars,
    "classes": archive_classes,
    "airflow": make_airflow,
    "flink": _with_its_jars,
    "nifi": make_nifi,
    "flume": _flume,
}


def set_up(settings: Settings, parts: Iterable[str], report: Report) -> dict[str, Path]:
    """Make what is missing of ``parts``, in an order in which each has what it needs; where each of them is.

    Raises:
        MissingPrerequisiteError: Java or Maven is missing.
        SetupFailedError: something could not be fetched or made; the message says where its output is.
    """
    asked = set(parts)
    made = {} if IS_CLONE else {"packages": link_packages()}
    return made | {name: make(settings, report) for name, make in PARTS.items() if name in asked}
