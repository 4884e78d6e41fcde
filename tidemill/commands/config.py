"""``tidemill config``."""

import json

import click
from pydantic import SecretStr

from tidemill.config.errors import ConfigError, nearest
from tidemill.config.origin import HIDDEN, flatten, shown
from tidemill.config.secrets import NAMES, secret_path
from tidemill.config.settings import load_with_origin
from tidemill.tables import print_table, table


@click.group(name="config")
def command() -> None:
    """Show the effective settings."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(as_json: bool) -> None:
    """Print every key, its value and where the value came from; secrets are hidden."""
    settings, origin = load_with_origin()
    values = {key: shown(key, _plain(value)) for key, value in flatten(settings.model_dump()).items()}
    rows = [{"key": key, "value": value, "origin": origin[key]} for key, value in values.items()]
    for name in NAMES:
        path = secret_path(settings, name)
        place = str(path) if path.exists() else "made when first needed"
        rows.append({"key": f"secret.{name}", "value": HIDDEN, "origin": place})
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    cells = ([str(cell) for cell in row.values()] for row in rows)
    print_table(table(("key", "value", "origin"), cells))


@command.command()
@click.argument("key")
def get(key: str) -> None:
    """Print the value of KEY, such as serving.url, for a script; a list or a table as JSON, a secret hidden."""
    settings, _ = load_with_origin()
    values = flatten(settings.model_dump())
    if key not in values:
        raise ConfigError(f"there is no setting {key!r}{nearest(key, values)}")
    value = shown(key, _plain(values[key]))
    click.echo(value if isinstance(value, str) else json.dumps(value))


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return HIDDEN
    return value if isinstance(value, (int, float, bool, list, dict, type(None))) else str(value)
