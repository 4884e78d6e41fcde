"""The control store as its users see it."""

from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy import URL, make_url

from monitoring.control.clock import Clock, database_clock
from monitoring.control.database import Database
from monitoring.control.requests import RetrainRequests
from monitoring.control.rollouts import Rollouts
from tidemill.config.settings import Settings

SQLITE = "sqlite:///"


class ControlStore:
    """Requests and rollouts in one database: SQLite of this machine, or PostgreSQL.

    It may be shared by threads; a process makes one of its own. ``clock`` is for tests.
    """

    def __init__(self, url: str | URL, clock: Clock = database_clock) -> None:
        self._database = Database(make_url(url), clock)
        self.requests = RetrainRequests(self._database)
        self.rollouts = Rollouts(self._database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(self) -> None:
        """Makes the tables or migrates them, which otherwise the first use does.

        Raises:
            ControlStoreAwayError: the database does not answer.
            ControlStoreRefusedError: it may not be used.
            ControlStoreNewerError: a later version of the platform has migrated it.
        """
        self._database.prepare()

    def now(self) -> datetime:
        """What the clock says that the store's times are of."""
        with self._database.reading() as connection:
            return self._database.now(connection)

    def close(self) -> None:
        """Ends the connections; the next use makes new ones."""
        self._database.close()


def control_store(settings: Settings) -> ControlStore:
    """The store that ``settings.control`` names."""
    text, password = settings.control.url, settings.control.password
    if text.startswith(SQLITE):  # a folder's name may hold what a URL ends at
        return ControlStore(URL.create("sqlite", database=settings.expand(text.removeprefix(SQLITE))))
    url = make_url(settings.expand(text))
    return ControlStore(url if password is None else url.set(password=password.get_secret_value()))


def is_made(settings: Settings) -> bool:
    """Whether there is something to read: SQLite's file may not be made yet, and reading it would make it."""
    text = settings.control.url
    return not text.startswith(SQLITE) or Path(settings.expand(text.removeprefix(SQLITE))).is_file()
