"""Which tables are judged before something is made of them; by what is not Airflow's affair."""

from collections.abc import Callable
from pathlib import Path

from airflow_orchestration.declarations import UNREADABLE, content, text
from tidemill.config.project import current_project


def judged_tables() -> Callable[[str], bool]:
    """Whether a table is to be judged, by its name.

    A file that cannot be read may be about any: then each is, and its task fails with the reason.
    """
    tables = {_table_in(file) for file in current_project().suite_files().values()}
    return lambda name: name in tables or "" in tables


def _table_in(file: Path) -> str:
    try:
        return text(content(file), "table")
    except UNREADABLE:
        return ""
