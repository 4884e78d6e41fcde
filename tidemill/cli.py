"""The ``tidemill`` command: each subcommand is imported only when it is asked for."""

# ruff: noqa: E402
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tidemill.module_path import own_first

# Others have packages called use_cases or data_lake too: ours are those beside this one, whatever PYTHONPATH holds.
sys.path[:] = own_first(sys.path, Path(__file__).resolve().parent.parent, os.environ.get("PYTHONPATH", ""))

import click

from tidemill.config.errors import TidemillError
from tidemill.config.interruption import interruption, raise_on_signals

COMMANDS = {
    "check": "Validate a project's definitions, without a server.",
    "config": "Show the effective settings and where each came from.",
    "dags": "Run Airflow's DAGs and follow them.",
    "demo": "Run the whole loop: events, lake, features, model, predictions.",
    "demo-loop": "Watch the loop close: drift, a new model, its canary, and a bad one taken back.",
    "doctor": "Check this machine and say what to do about each failure.",
    "down": "Stop the local stack.",
    "drift": "Compare what came with what a model learnt from, or a table with what it was.",
    "features": "Register, bootstrap, read and check features.",
    "flink": "Deploy, list and stop the jobs that Flink runs.",
    "ingest": "Send rows of others to Kafka: files, tables, drop folders, polled pages.",
    "lake": "List, describe, query and keep up the lake's tables.",
    "logs": "Print the log of a service.",
    "models": "Train, list, promote and roll back models.",
    "new": "Make a project: contracts, use cases, sources and tests of your own.",
    "produce": "Send events to Kafka: simulated, of a real file, or of a project's own source.",
    "quarantine": "Show and work off the messages that broke their contract.",
    "quality": "Judge tables by what is expected of them, and show what was found.",
    "reconcile": "Check that the broker and the lake hold the same events.",
    "retrain": "Ask for a new model, and follow what becomes of it.",
    "rollout": "Bring a model to its traffic step by step, and take it back.",
    "setup": "Make the environments and fetch the jars, once for all projects: Flink, NiFi and Flume where named.",
    "status": "Show each service, its memory, and the stream's progress.",
    "stream": "Show and decide from where on bronze reads a topic.",
    "submit": "Run a script of this project with spark-submit.",
    "test": "Run a project's tests of its definitions, without a server.",
    "topics": "Create and list the topics.",
    "up": "Start the local stack.",
}


class LazyGroup(click.Group):
    """A group whose subcommand NAME is ``tidemill.commands.NAME.command``, with ``_`` for ``-``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = importlib.import_module(f"tidemill.commands.{module}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """As ever, but an interruption is a sentence and its own exit status: click's is 1."""
        try:
            return super().invoke(ctx)
        except BaseException as error:
            interrupted = interruption(error)
            if interrupted is None:
                raise
            click.echo(f"tidemill: ended by {interrupted.signal.name}", err=True)
            sys.exit(interrupted.exit_status)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--project",
    metavar="PATH",
    help="Folder of the project's tidemill.toml.  [default: TIDEMILL_PROJECT, else the nearest above this folder]",
)
@click.pass_obj
def cli(enter: Callable[[], None] | None, project: str | None) -> None:
    """Tidemill: from a click to a prediction and back."""
    if project is not None:
        os.environ["TIDEMILL_PROJECT"] = project
    if enter is not None:
        enter()


def _enter() -> None:
    from tidemill import environment

    environment.enter()


def main() -> None:
    """Run the command line; an expected error, or a file that cannot be used, is one sentence on stderr and a status.

    Ended by SIGINT or SIGTERM, the exit status is 128 and the signal's number.
    """
    raise_on_signals()
    try:
        cli(prog_name="tidemill", obj=_enter)
    except TidemillError as error:
        click.echo(f"tidemill: {error}", err=True)
        sys.exit(error.exit_status)
    except OSError as error:
        if not isinstance(error.filename, str):  # not of a file
            raise
        click.echo(f"tidemill: {error.filename}: {error.strerror}{_advice(Path(error.filename))}", err=True)
        sys.exit(1)


def _advice(file: Path) -> str:
    """What to do about a ``file`` that cannot be used, where it is one of the home folder."""
    from tidemill.config.settings import load_with_origin

    try:
        home = load_with_origin(choose_ports=False)[0].home
    except (TidemillError, OSError):  # it is not known then that the file is in it
        return ""
    if not file.is_relative_to(home):
        return ""
    return f"; the home folder {home} must be one that you may write to: mend that, or name another in TIDEMILL_HOME"
