"""``tidemill new``."""

from pathlib import Path

import click


@click.command(name="new")
@click.argument("path", type=click.Path(path_type=Path))
def command(path: Path) -> None:
    """Make a project in PATH: settings, a contract, a use case that works at once, a source, tests.

    PATH is an empty folder or not there yet: nothing is written over.
    """
    from tidemill.projects.new import new

    files = new(path)
    root = path.expanduser().absolute()
    for file in files:
        click.echo(f"  {file.relative_to(root)}")
    click.echo(f"made {root}; next: cd {path}, then `tidemill check` and `tidemill test`")
