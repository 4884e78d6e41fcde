"""``tidemill logs``."""

import click

from tidemill.config import load_settings
from tidemill.config.errors import TerminalError

SUPERVISOR = "supervisor"


class NoLogError(TerminalError):
    """The service has not written a log yet."""


@click.command(name="logs")
@click.argument("service")
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on printing what is written, until interrupted.")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(min=0), help="Lines from the end.")
def command(service: str, is_followed: bool, lines: int) -> None:
    """Print the log of SERVICE, or of `supervisor`."""
    from tidemill.stack.catalog import catalog, check_known
    from tidemill.stack.folders import Folders
    from tidemill.stack.logs import follow, last_lines

    settings = load_settings()
    if service != SUPERVISOR:
        check_known(catalog(settings), service)
    log = Folders.of(settings).log(service)
    if not log.exists():
        raise NoLogError(f"{service} has not logged anything yet: there is no {log}; start it with `tidemill up`")
    tail = last_lines(log, lines)
    if tail:
        click.echo(tail)
    if not is_followed:
        return
    try:
        for text in follow(log):
            click.echo(text, nl=False)
    except KeyboardInterrupt:
        return
