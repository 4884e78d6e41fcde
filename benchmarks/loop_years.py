"""What the closed loop does in years of it: false alarms, delays, worse models promoted, and what it is all worth.

    .venv/bin/python benchmarks/loop_years.py [--years 300] [--seed 0] [--processes 1] [--keep FILE]

A year is drawn at the level of features and outcomes (``loop_world.py``), and lived through by the loop's own code with
the policies that ship, by a clock of its own: the looks every six hours, the requests in a control store, trainings,
gates and rollouts (``loop_life.py``). No server is asked and nothing is written but the control store. Years are of no
drift and of each kind and size of it in turn. ``--keep`` has what each year came to, so that a run goes on from there.
Prints tables in Markdown, and how far it is on standard error.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import timedelta
from pathlib import Path

import click
from loop_monitors import Monitor
from loop_outcomes import Outcome, Terms, outcome
from loop_tables import tables

from monitoring.control import Limits
from monitoring.looks.look import policy_of
from tidemill.config.sections import Drift


def kept(file: Path | None) -> dict[int, Outcome]:
    """The years that a file has, by their number."""
    if file is None or not file.exists():
        return {}
    read = map(Outcome.model_validate_json, file.read_text().splitlines())
    return {lived.year: lived for lived in read}


def lived(years: Sequence[int], terms: Terms, processes: int) -> Iterator[Outcome]:
    """The outcomes of ``years``, as they come."""
    with tempfile.TemporaryDirectory() as folder:
        if processes == 1:
            yield from (outcome(year, terms, Path(folder)) for year in years)
            return
        with ProcessPoolExecutor(processes) as pool:
            asked = [pool.submit(outcome, year, terms, Path(folder)) for year in years]
            yield from (done.result() for done in as_completed(asked))


@click.command()
@click.option("--years", type=click.IntRange(min=1), default=300, show_default=True)
@click.option("--first", type=click.IntRange(min=0), default=0, help="The number of the first year.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="A file of years, one a line, that is gone on with.")
@click.option("--cool-down-hours", type=float, help="Instead of the cool-down that ships.")
@click.option("--alpha", type=float, help="Of a week's looks, instead of the one that ships.")
@click.option("--classifier", is_flag=True, help="Looks with the domain classifier too, which takes ten times as long.")
def main(  # noqa: PLR0913, PLR0917 - options of a command
    years: int,
    first: int,
    seed: int,
    processes: int,
    keep: Path | None,
    cool_down_hours: float | None,
    alpha: float | None,
    classifier: bool,
) -> None:
    """Print the tables."""
    limits = Limits() if cool_down_hours is None else Limits(cool_down=timedelta(hours=cool_down_hours))
    policy = policy_of(Drift() if alpha is None else Drift(alpha=alpha))
    terms = Terms(seed, limits=limits, monitor=Monitor(policy, classifier))
    numbers, all_kept = range(first, first + years), kept(keep)
    outcomes = [all_kept[number] for number in numbers if number in all_kept]
    missing = [number for number in numbers if number not in all_kept]
    with click.progressbar(
        lived(missing, terms, processes), length=len(missing), label="years", file=sys.stderr
    ) as bar:
        for done in bar:
            outcomes.append(done)
            if keep is not None:
                with keep.open("a") as file:
                    file.write(done.model_dump_json() + "\n")
    spent = f"alpha {policy.budget.alpha:g} in {policy.budget.period.days} days"
    told = f"{len(outcomes)} years, seed {seed}, {spent}, cool-down {limits.cool_down / timedelta(hours=1):g} hours"
    click.echo(f"{told}{', with the domain classifier' if classifier else ''}\n")
    for line in tables(outcomes):
        click.echo(line)


if __name__ == "__main__":
    main()
