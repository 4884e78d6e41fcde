"""The pages of reference that are made from the code: ``python -m tidemill.reference`` writes them into ``docs``."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tidemill.config.installation import REPO
from tidemill.config.settings import Settings

DOCS = REPO / "docs"
OF_THE_MACHINE = {
    "platform_environment": "`.venv` of a clone; else the one this runs in",
    "spark.jars": "`.jars/spark` of a clone; else in the cache",
    "airflow.environment": "`.venv-airflow` of a clone; else in the cache",
    "flink.environment": "`.venv-flink` of a clone; else in the cache",
}
"""Defaults that differ between machines, in words."""
CONFIGURATION = """\
# Configuration

Made from `tidemill/config/sections.py` by `python -m tidemill.reference`.

Later wins: the default, the profile's file (`TIDEMILL_PROFILE`, `local` or `cluster`), the project's `tidemill.toml`,
the environment. A key `kafka.partitions` is `partitions` in the table `[kafka]` of a file, and
`TIDEMILL_KAFKA__PARTITIONS` in the environment, where a list or a table is JSON. `tidemill config show` prints each
value and where it came from.

`tidemill.toml` also has the table `[project]`: `name`, and `builtin` (true: the platform's own use cases and contracts
are there beside the project's). `TIDEMILL_PROJECT` names the project's folder, and is empty for none; `TIDEMILL_CACHE`
the folder that projects share.

Secrets are apart: `TIDEMILL_SECRET_<NAME>` in the environment, else the file `secrets/<name>` in the home folder, which
is made when it is first needed.

| secret | what it is |
|---|---|
| `airflow_password` | of `airflow.user` |
| `airflow_jwt` | signs what Airflow's processes tell each other |
| `airflow_fernet` | encrypts what Airflow's database keeps of connections |
| `airflow_api` | signs the sessions of Airflow's pages |
| `nifi_properties` | encrypts the sensitive properties of NiFi's flows |

What [`tidemill ingest`](ways-in.md) needs is of the environment alone: `TIDEMILL_SECRET_INGEST_URL`,
`TIDEMILL_SECRET_POLL_URL` and `TIDEMILL_SECRET_POLL_TOKEN`. `redis.password` and `control.password` are settings like
any other, which belong into the environment rather than into a file; `tidemill config show` does not show their values.

| key | default | what it is |
|---|---|---|
"""
COMMANDS = """\
# Commands

Made from the commands by `python -m tidemill.reference`. `--project PATH` comes before the command:
`tidemill --project PATH COMMAND`; without it the project is the nearest above the working directory.

A `TIME` is in UTC: `2026-03-01`, or `2026-03-01T06:00:00`, with a fraction of a second (`06:00:00.25`) and a `Z` or
without. A `DAY` is `2026-03-01`.
"""


def configuration_page() -> str:
    """Every setting, its default and its meaning."""
    rows = (f"| `{key}` | {_default(key, field)} | {_meaning(field)} |" for key, field in _fields(Settings, ""))
    return CONFIGURATION + "\n".join(rows) + "\n"


def commands_page() -> str:
    """Every command, what it does, its arguments and options."""
    from tidemill.cli import cli

    context = click.Context(cli, info_name="tidemill")
    parts = [COMMANDS]
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None:
            parts += _described(command, click.Context(command, parent=context, info_name=name))
    return "\n".join(parts)


PAGES: Mapping[Path, Any] = {DOCS / "configuration.md": configuration_page, DOCS / "commands.md": commands_page}


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def _default(key: str, field: FieldInfo) -> str:
    if key in OF_THE_MACHINE:
        return OF_THE_MACHINE[key]
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "none"
    return _cell(f"`{json.dumps(value) if isinstance(value, (list, dict)) else value}`")


def _meaning(field: FieldInfo) -> str:
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    said = [field.description or "", f"one of {', '.join(choices)}" if choices else ""]
    return _cell("; ".join(filter(None, said)))


def _described(command: click.Command, context: click.Context) -> list[str]:
    line = context.command_path
    help_text = "\n".join(paragraph.strip() for paragraph in (command.help or "").splitlines())
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"{'#' * line.count(' ')}# `{line}`", "", f"`{line} {usage}`", "", help_text.strip(), ""]
    options = [record for of in command.get_params(context) if (record := of.get_help_record(context))]
    options = [record for record in options if "--help" not in record[0]]
    if options:
        lines += ["| option | |", "|---|---|", *(f"| `{_cell(name)}` | {_cell(said)} |" for name, said in options), ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                lines += _described(inner, click.Context(inner, parent=context, info_name=name))
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for page, write in PAGES.items():
        page.write_text(write(), encoding="utf-8")
