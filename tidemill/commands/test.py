"""``tidemill test``."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tidemill.projects.testing.run import Results


@click.command(name="test")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed generates other events.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; pytest writes to stderr.")
def command(seed: int, as_json: bool) -> None:
    """Run the project's tests of its definitions: cases in tests/*.yaml, generated events, and pytest.

    Without a server and without Java: each feature is computed as training, the stream and a request compute it, and by
    a loop over the events, and all have to say the same. The exit status is 0 when nothing failed.
    """
    from tidemill.projects.checking import check
    from tidemill.projects.testing.run import run_tests

    problems = check()
    for problem in problems:
        click.echo(problem.shown(), err=True)
    if problems:
        click.echo("the definitions have to be right before they can be tried (`tidemill check`)", err=True)
        sys.exit(1)
    results = run_tests(seed, pytest_output=sys.stderr if as_json else sys.stdout)
    if as_json:
        click.echo(json.dumps(asdict(results), indent=2, default=str))
    else:
        click.echo(_text(results))
    sys.exit(0 if results.passed else 1)


def _text(results: "Results") -> str:
    lines = []
    for failure in results.failures:
        lines += [f"FAILED {_relative(failure.file)}:{failure.line}: {failure.case}", f"  {failure.message}"]
        lines += [f"    {line}" for line in failure.example]
    for finding in results.findings:
        lines += [f"FAILED {finding.subject}", f"  {finding.message}"]
        lines += [f"    {line}" for line in finding.example]
    lines.append(f"cases: {results.cases}, {len(results.failures)} failed")
    tried = f"feature groups and questions on generated events: {results.groups} and {results.questions}"
    lines.append(f"{tried}, {len({finding.subject for finding in results.findings})} failed")
    lines.append(f"pytest: {'failed' if results.pytest else 'passed or nothing to run'}")
    return "\n".join(lines)


def _relative(file: Path) -> str:
    return os.path.relpath(file) if file.is_relative_to(Path.cwd()) else str(file)
