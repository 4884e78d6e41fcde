"""The stack was started from a shell whose variables are meant for other programs."""

import os
from pathlib import Path

from tests.troubles.stack import OTHERS, Stack
from tidemill.stack.folders import Folders
from tidemill.stack.supervision.daemon import leftovers


def test_no_process_of_the_stack_has_what_the_shell_had_for_others(stack: Stack) -> None:
    processes = leftovers(Folders.of(stack.settings))
    assert len(processes) >= 4
    foreign = stack.environment["PYTHONPATH"].split(os.pathsep)[0]
    for process in processes:
        assert foreign not in process.environ().get("PYTHONPATH", "")
        for name, value in process.environ().items():
            assert name.endswith(("_PROXY", "_proxy")) or OTHERS.get(name) != value, f"{process}: {name}"


def test_a_client_of_mlflow_reaches_it_past_a_proxy_that_is_away(stack: Stack) -> None:
    stack.tidemill("up", "mlflow")
    assert stack.json("models", "list") == []


def test_temporary_files_are_below_the_home_folder(stack: Stack) -> None:
    stream = Folders.of(stack.settings).temporary("stream")
    assert any(path.name.startswith("blockmgr-") for path in stream.iterdir())
    assert list(Path(stack.environment["TMPDIR"]).iterdir()) == []
