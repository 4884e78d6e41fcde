"""Runs the demo's steps in order, shows which one is at work, and says which one failed."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tidemill.config.errors import TerminalError, TidemillError

QUIET_S = 10.0
SHOWN = 120
"""Characters of a step's last word beside its spinner."""


@dataclass(frozen=True)
class Say:
    """What a step tells of its progress: called, the last word beside it; ``keep`` prints a line that stays."""

    show: Callable[[str], None]
    keep: Callable[[str], None]

    def __call__(self, text: str) -> None:
        self.show(text)


@dataclass(frozen=True)
class Step:
    """One step: ``run(say)`` does it, tells its progress to ``say`` and returns facts for the summary."""

    name: str
    title: str
    run: Callable[[Say], Mapping[str, Any]]


class StepError(TerminalError):
    """A step of the demo failed; the message names the step, the reason and the log."""


def run_steps(steps: Sequence[Step], logs: Path) -> dict[str, Any]:
    """The facts each step returned, by step, with the seconds it took.

    Raises:
        StepError: the first step that failed.
    """
    console = Console(stderr=True)
    facts: dict[str, Any] = {}
    for number, step in enumerate(steps, 1):
        label = f"[{number}/{len(steps)}] {step.title}"
        started = time.monotonic()
        try:
            result = dict(_run(console, label, step))
        except TidemillError as error:
            console.print(Text.assemble(("✗", "red"), f" {label}"), soft_wrap=True)
            raise StepError(f"demo step {step.name!r} failed: {error} (logs: {logs})") from error
        seconds = time.monotonic() - started
        facts[step.name] = result | {"seconds": round(seconds, 1)}
        console.print(Text.assemble(("✓", "green"), f" {label} ", (f"{seconds:.1f} s", "dim")), soft_wrap=True)
    return facts


def _run(console: Console, label: str, step: Step) -> Mapping[str, Any]:
    if console.is_terminal:
        with console.status(Text(label)) as status:

            def show(text: str) -> None:
                status.update(Text.assemble(f"{label} ", (_last_line(text)[:SHOWN], "dim")))

            return step.run(Say(show, lambda text: console.print(Text(text), soft_wrap=True)))
    _print(label)
    return step.run(Say(_sparingly(lambda text: _print(f"      {_last_line(text)}")), _print))


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a log file has no spinner


def _sparingly(say: Callable[[str], None]) -> Callable[[str], None]:
    """``say``, at most once in ten seconds."""
    last = 0.0

    def limited(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET_S:
            last = time.monotonic()
            say(text)

    return limited


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else ""
