"""Times as arguments of commands; a help says ``TIME`` or ``DAY``, an error the forms that are read."""

import click

from tidemill.config.times import TIMES


class Written(click.DateTime):
    """A time in one of the forms of ``TIMES``, shown in a help by a word."""

    def __init__(self, shown: str) -> None:
        super().__init__(TIMES)
        self.shown = shown

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return self.shown


TIME, DAY = Written("TIME"), Written("DAY")
