"""The help is there at once, and every command has its own."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from tidemill.cli import COMMANDS, cli

LOOK = """
import sys
from tidemill.cli import cli
cli(["--help"], standalone_mode=False)
print(sorted({"pydantic", "psutil", "rich", "numpy", "yaml"} & set(sys.modules)))
"""


def test_the_help_imports_nothing_that_takes_time() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(name: str) -> None:
    shown = CliRunner().invoke(cli, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"Usage: cli {name}")
