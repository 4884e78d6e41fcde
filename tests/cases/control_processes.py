"""Processes at a control store that begin at once."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from tidemill.config.installation import REPO

Process = subprocess.Popen[str]


@contextmanager
def at_store(*arguments: str) -> Iterator[Process]:
    """A process of `control_process`, as :func:`process_of`."""
    with process_of("tests.cases.control_process", *arguments) as process:
        yield process


@contextmanager
def process_of(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """A process of ``module``; it is killed at the end, if it has not ended."""
    command, variables = [sys.executable, "-m", module, *arguments], os.environ | (environment or {})
    process = subprocess.Popen(
        command, cwd=REPO, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def begin(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("begin\n")
    process.stdin.flush()


def wait_for(process: Process, line: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{line}\n"


def all_at_once(commands: Sequence[Sequence[str]]) -> list[str]:
    """The lines that processes of `control_process` printed; all were ready before the first began."""
    with ExitStack() as stack:
        return begun_at_once([stack.enter_context(at_store(*arguments)) for arguments in commands])


def begun_at_once(processes: Sequence[Process], timeout_s: float = 120.0) -> list[str]:
    """The lines that they printed until their end; all were ready before the first began."""
    for process in processes:
        wait_for(process, "ready")
    for process in processes:
        begin(process)
    outputs = [process.communicate(timeout=timeout_s)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [line for output in outputs for line in output.splitlines()]
