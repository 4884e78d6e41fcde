"""``tidemill up``."""

import click

from tidemill.config import load_settings


@click.command(name="up")
@click.argument("services", nargs=-1)
def command(services: tuple[str, ...]) -> None:
    """Start SERVICES and those they need, or the whole stack; return when each is ready."""
    from monitoring.control import control_store
    from tidemill.stack.progress import StartProgress
    from tidemill.stack.up import up

    settings = load_settings()
    with StartProgress() as progress:
        started = up(settings, services, progress.report)
    with control_store(settings) as store:
        store.prepare()
    if set(started.already_running) == set(started.ready):
        click.echo("already running: " + ", ".join(started.ready), err=True)
        return
    click.echo(f"ready: {', '.join(started.ready)}; see `tidemill status`", err=True)
