"""Whether what is looked at again and again keeps its alpha: the A/B contest, the guards of a rollout, the monitor.

    .venv/bin/python benchmarks/sequential_tests.py contest [--runs 400]
    .venv/bin/python benchmarks/sequential_tests.py guards [--runs 10000]
    .venv/bin/python benchmarks/sequential_tests.py gate [--runs 400]
    .venv/bin/python benchmarks/sequential_tests.py minutes [--runs 20]

``contest`` and ``guards`` are looked at after every outcome and every answer, which is more often than every minute
can be; beside them stands the usual test, repeated as often. ``gate`` is looked at once: how often a challenger passes
that is worse than the champion by just what may be. ``minutes`` are weeks of a drift monitor that looks every minute.
Shares have the interval of Clopper and Pearson. Prints tables in Markdown.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache

import click
import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from loop_models import BEGAN, RULE, SPEC, TASK, true_auc
from loop_outcomes import A_DAY
from loop_tables import MARGIN, STATED, share
from loop_world import CALM, DAY, FEATURES, Floats, people
from scipy.special import expit, logit
from scipy.stats import beta, norm
from worse_models import KINDS, Draw

from ml_modeling.evaluation.evaluate import compare, evaluate
from ml_modeling.evaluation.report import Estimate, EvaluationReport
from ml_modeling.frames.examples import Examples
from ml_modeling.gates import ChampionComparison, judge
from ml_modeling.registry import ModelIdentity
from monitoring.drift import Current, Looks, Reference
from monitoring.drift import judge as judge_drift
from monitoring.looks.look import policy_of
from monitoring.profiles import TableDefinition, profile_table
from monitoring.rollout.bounds import log_evidence
from monitoring.rollout.contest import Contest, contest
from monitoring.rollout.outcomes import DIFFERENCES
from tidemill.config.sections import Drift as DriftSettings

OUTCOMES = 3_000
MEAN = 0.2
ANSWERS = 5_000
LEAST = 30
"""So few make no test of the usual kind."""
WEEK_MINUTES = 7 * 24 * 60
POLICY = policy_of(DriftSettings())
GUARDS = SPEC.rollout.guards
CONTEST_ALPHA = SPEC.rollout.alpha


@click.group()
def main() -> None:
    """Print a table."""


@main.command("contest")
@click.option("--runs", type=click.IntRange(min=20), default=400, show_default=True)
def contests(runs: int) -> None:
    """Champion against challenger by what came true, as an A/B test and as the guard of a canary step."""
    click.echo(f"{OUTCOMES:,} outcomes, {runs} runs; the challenger's mean loss is larger by so much\n")
    worse, better = f"called worse ({GUARDS.alpha:.0%})", f"called better ({CONTEST_ALPHA:.0%})"
    click.echo(f"| losses | larger by | its share | {better} | {worse} | z-test at every pair: better (5 %) |")
    click.echo("|---|---|---|---|---|---|")
    random = np.random.default_rng(3)
    for name, draw in KINDS.items():
        for excess, part in ((0.0, 0.5), (0.0, 0.1), (0.02, 0.5), (0.1, 0.5)):
            told = [_contested(random, draw, excess, part) for _ in range(runs)]
            better, worse, naive = (sum(column) for column in zip(*told, strict=True))
            shares = " | ".join(share(count, runs) for count in (better, worse, naive))
            click.echo(f"| {name} | {excess:g} | {part:.0%} | {shares} |")


def _contested(random: np.random.Generator, draw: Draw, excess: float, part: float) -> tuple[bool, bool, bool]:
    """Whether the challenger is ever called better, ever worse, and ever better by a z-test at every pair."""
    is_challenger = random.random(OUTCOMES) < part
    losses = np.where(is_challenger, draw(random, OUTCOMES, MEAN + excess), draw(random, OUTCOMES, MEAN))
    differences = paired(losses, is_challenger)
    decided: Contest = contest([differences], 0, 0)
    n = np.arange(1, len(differences) + 1)
    means = differences.cumsum() / n
    deviations = np.sqrt(np.maximum((differences**2).cumsum() / n - means**2, 1e-12) / n)
    z = (-means / deviations)[LEAST:]
    return decided.is_better(CONTEST_ALPHA), decided.is_worse(GUARDS.alpha), bool((z > norm.isf(CONTEST_ALPHA)).any())


def paired(losses: Floats, is_challenger: np.ndarray) -> Floats:
    """The differences that a rollout makes of outcomes in their order (n,), by its own query."""
    in_order = {"asked_at": np.arange(len(losses)), "source": "", "event_id": ""}
    drawn = pd.DataFrame({"is_challenger": is_challenger, "loss": losses, **in_order})
    with duckdb.connect() as connection:
        connection.register("drawn", drawn)
        found = connection.execute(f"WITH firsts AS (SELECT * FROM drawn) {DIFFERENCES}").fetchnumpy()  # noqa: S608
    return np.asarray(found["difference"], dtype=np.float64)


@main.command("guards")
@click.option("--runs", type=click.IntRange(min=20), default=10_000, show_default=True)
def guards(runs: int) -> None:
    """The bound of the error rate, and of slow answers, after every answer of a challenger."""
    limit, alpha = GUARDS.error_rate or 0.05, GUARDS.alpha
    click.echo(f"{ANSWERS:,} answers, {runs:,} runs, alpha {alpha:.0%}, allowed {limit:.0%}\n")
    click.echo("| fails at | ever taken back | after (answers, median) | the bound of one look, repeated |")
    click.echo("|---|---|---|---|")
    random = np.random.default_rng(5)
    ours = least_hits(ANSWERS, limit, lambda hits, trials: log_evidence(hits, trials, limit) >= -math.log(alpha))
    usual = least_hits(
        ANSWERS, limit, lambda hits, trials: hits > 0 and beta.ppf(alpha, hits, trials - hits + 1) > limit
    )
    for true_rate in (limit / 2, limit, 1.6 * limit, 2 * limit, 4 * limit):
        counts = [np.zeros(0)] * 2
        for _ in range(0, runs, 500):
            failures = (random.random((min(500, runs), ANSWERS)) < true_rate).cumsum(axis=1)
            for place, bounds in enumerate((ours, usual)):
                is_over = failures >= bounds
                first = np.where(is_over.any(axis=1), is_over.argmax(axis=1) + 1.0, np.inf)
                counts[place] = np.concatenate([counts[place], first])
        found, of_usual = (int(np.isfinite(count).sum()) for count in counts)
        at = f"{np.median(counts[0]):,.0f}" if 2 * found > len(counts[0]) else "-"
        click.echo(f"| {true_rate:.1%} | {share(found, len(counts[0]))} | {at} | {share(of_usual, len(counts[1]))} |")


def least_hits(answers: int, limit: float, is_over: Callable[[int, int], bool]) -> np.ndarray:
    """From how many hits on the limit counts as passed, after each of ``answers``; more than all where none do."""
    least, hits = np.empty(answers), 0
    for trials in range(1, answers + 1):
        hits = max(hits - 1, math.floor(limit * trials))
        while hits <= trials and not is_over(hits, trials):
            hits += 1
        least[trials - 1] = hits
    return least


@main.command("gate")
@click.option("--runs", type=click.IntRange(min=20), default=400, show_default=True)
@click.option("--rows", type=click.IntRange(min=200), default=2_800, show_default=True, help="Of the test.")
def gate(runs: int, rows: int) -> None:
    """How often the gate lets a challenger pass that is worse in truth."""
    click.echo(f"a test of {rows:,} rows, {runs} runs; {STATED:.1%} is what the gate may let pass of the second row\n")
    click.echo("| ROC AUC lower by | passes |")
    click.echo("|---|---|")
    random = np.random.default_rng(9)
    for lower in (0.5 * MARGIN, MARGIN, 1.5 * MARGIN):
        noise = noise_for(lower)
        passed = sum(passes(_compared(random, noise, rows)) for _ in range(runs))
        click.echo(f"| {lower:.3f} | {share(passed, runs)} |")


def noise_for(lower: float) -> float:
    """The spread of the noise on a logit by which the ROC AUC falls so much, by halving."""
    random = np.random.default_rng(1)
    _, p = people(random, CALM, 100_000)
    noise, best = random.normal(size=len(p)), true_auc(p, p)
    low, high = 0.0, 8.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if best - true_auc(logit(p) + middle * noise, p) < lower else (low, middle)
    return low


def _compared(random: np.random.Generator, noise: float, rows: int) -> Estimate:
    """The gate's metric of a champion that knows the truth with noise, less that of one that knows it."""
    x, p = people(random, CALM, rows)
    test = Examples(x, (random.random(rows) < p).astype(np.int64), np.arange(rows))
    new = TASK.scoring(expit(logit(p) + noise * random.normal(size=rows)), RULE)
    return compare(TASK, test, new, TASK.scoring(p, RULE), SPEC.gates.champion.metric, SPEC.bootstrap)


def passes(difference: Estimate) -> bool:
    """What the gate against the champion says."""
    champion = ChampionComparison(version="1", model=ModelIdentity(run_id="", model_id=""), difference=difference)
    report = judge(_good_report(), SPEC.gates, champion)
    (check,) = (check for check in report.checks if check.gate.startswith("not worse than champion"))
    return check.passed


@lru_cache(maxsize=1)
def _good_report() -> EvaluationReport:
    """Of a model that knows the truth: the gates that look at the model alone let it pass."""
    random = np.random.default_rng(2)
    x, p = people(random, CALM, 1_000)
    test = Examples(x, (random.random(len(p)) < p).astype(np.int64), np.arange(len(p)))
    return evaluate(TASK, test, TASK.scoring(p, RULE), TASK.baseline(x, FEATURES, RULE), SPEC.bootstrap)


@main.command("minutes")
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True)
def minutes(runs: int) -> None:
    """Weeks of a monitor that looks every minute at the last 24 hours of one feature, without drift."""
    raised = sum(_raises(np.random.default_rng([13, run])) for run in range(runs))
    click.echo(
        f"| weeks | looks a week | any false alarm |\n|---|---|---|\n| {runs} | 10,080 | {share(raised, runs)} |"
    )


def _raises(random: np.random.Generator) -> bool:
    before = pa.table({"x": random.normal(size=10_000)})
    definition = TableDefinition.of_schema(before.schema)
    reference = Reference(profile_table(before, definition))
    at = np.sort(random.uniform(0, 8 * DAY, 8 * A_DAY))
    values, looks = random.normal(size=len(at)), Looks()
    for minute in range(WEEK_MINUTES):
        until = DAY + 60.0 * (minute + 1)
        first, last = np.searchsorted(at, [until - DAY, until])
        window = profile_table(pa.table({"x": values[first:last]}), reference.profile.definition_to_compare())
        judgement = judge_drift(reference, Current(window, BEGAN + timedelta(seconds=until)), POLICY, looks)
        looks = judgement.looks
        if judgement.drifted:
            return True
    return False


if __name__ == "__main__":
    main()
