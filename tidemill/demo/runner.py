"""Runs the demo's steps in order, shows which one is at work, and says which one failed."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from config.errors import TerminalError, TidemillError

Say = Callable[[str], None]
QUIET_S = 10.0


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
            console.print(f"[red]✗[/red] {label}", highlight=False)
            raise StepError(f"demo step {step.name!r} failed: {error} (logs: {logs})") from error
        seconds = time.monotonic() - started
        facts[step.name] = result | {"seconds": round(seconds, 1)}
        console.print(f"[green]✓[/green] {label} [dim]{seconds:.1f} s[/dim]", highlight=False)
    return facts


def _run(console: Console, label: str, step: Step) -> Mapping[str, Any]:
    if console.is_terminal:
        with console.status(label) as status:
            return step.run(lambda text: status.update(f"{label} [dim]{escape(_shortened(text))}[/dim]"))
    print(label, file=sys.stderr, flush=True)  # noqa: T201 - a log file has no spinner
    return step.run(_sparingly(lambda text: print(f"      {_shortened(text)}", file=sys.stderr, flush=True)))  # noqa: T201


def _sparingly(say: Say) -> Say:
    """``say``, at most once in ten seconds."""
    last = 0.0

    def limited(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET_S:
            last = time.monotonic()
            say(text)

    return limited


def _shortened(text: str) -> str:
    line = text.strip().splitlines()[-1] if text.strip() else ""
    return line[:120]
