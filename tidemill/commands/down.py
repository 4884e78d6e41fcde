"""``tidemill down``."""

import click

from tidemill.config import load_settings


@click.command(name="down")
@click.argument("services", nargs=-1)
@click.option("--purge", "is_purged", is_flag=True, help="Also remove the home folder: lake, topics, models, logs.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
def command(services: tuple[str, ...], is_purged: bool, yes: bool) -> None:
    """Stop SERVICES, or the whole stack."""
    from tidemill.stack.down import check_purgeable, down, purge

    settings = load_settings()
    if is_purged and services:
        raise click.UsageError("--purge removes everything: it takes no services")
    if is_purged and settings.home.exists():
        check_purgeable(settings)
        if not yes:
            click.confirm(f"Remove {settings.home} with all data in it?", abort=True, err=True)

    def report(name: str) -> None:
        click.echo(f"stopping {name}", err=True)

    stopped = purge(settings, report) if is_purged else down(settings, services, report)
    click.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was running", err=True)
    if is_purged:
        click.echo(f"removed {settings.home}", err=True)
