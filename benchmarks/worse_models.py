"""How often a model that is not worse is ever called so, and how soon one that became worse is found.

    .venv/bin/python benchmarks/worse_models.py [--runs 400]

Losses are simulated, and judged after every one of them, which is the most often that anybody can look. Beside it a
test of the mean that is repeated at each look as if it were the only one: one-sided, at 5 %, after every 100 losses.
The bound is 0.20: the upper end of the interval that training gave.
"""

import math
from collections.abc import Callable

import click
import numpy as np
import pyarrow as pa

from monitoring.performance.apart import AT, UNIT, apart
from monitoring.performance.betting import evidence
from monitoring.performance.losses import Floats

ALPHA, BOUND = 0.05, 0.20
LOSSES = 20_000
EVERY = 100
FRAUDS = 0.05
NORMAL_95 = 1.6448536269514722
Draw = Callable[[np.random.Generator, int, float], Floats]


def coins(random: np.random.Generator, n: int, mean: float) -> Floats:
    """0 or 1, as whether a decision was wrong."""
    return (random.random(n) < mean).astype(np.float64)


def smooth(random: np.random.Generator, n: int, mean: float) -> Floats:
    """Anything between, as errors of numbers."""
    return random.beta(2, 2 * (1 - mean) / mean, n)


def squares(random: np.random.Generator, n: int, mean: float) -> Floats:
    """Squared errors of probabilities near 0 and 1: mostly small, rarely large."""
    wrong = random.random(n) < (mean - 0.01) / 0.8
    return np.where(wrong, 0.81, 0.01)


KINDS: dict[str, Draw] = {"wrong or right": coins, "smooth": smooth, "squared": squares}


def found_at(losses: Floats) -> int | None:
    """After how many losses the model is called worse."""
    crossed = np.flatnonzero(evidence(losses, BOUND).log_e >= -math.log(ALPHA))
    return int(crossed[0]) + 1 if len(crossed) else None


def repeated_at(losses: Floats) -> int | None:
    """After how many losses the repeated test says so."""
    n = np.arange(1, len(losses) + 1)
    means = np.cumsum(losses) / n
    deviations = np.sqrt(np.maximum(np.cumsum(losses**2) / n - means**2, 1e-12) / n)
    looks = np.arange(EVERY - 1, len(losses), EVERY)
    crossed = looks[means[looks] - NORMAL_95 * deviations[looks] > BOUND]
    return int(crossed[0]) + 1 if len(crossed) else None


@click.command()
@click.option("--runs", type=click.IntRange(min=20), default=400, show_default=True)
def main(runs: int) -> None:
    """Print the tables."""
    random = np.random.default_rng(7)
    click.echo(f"ever called worse, {LOSSES:,} losses, {runs} runs")
    click.echo(f"{'losses':>15} {'mean':>6} {'here':>7} {'repeated test':>14}")
    for name, draw in KINDS.items():
        for mean in (0.18, 0.20):
            streams = [draw(random, LOSSES, mean) for _ in range(runs)]
            ours, theirs = (np.mean([at(losses) is not None for losses in streams]) for at in (found_at, repeated_at))
            click.echo(f"{name:>15} {mean:6.2f} {ours:7.1%} {theirs:14.1%}")
    _late(np.random.default_rng(7), runs)
    _often(np.random.default_rng(7), runs)
    click.echo("\nfound after how many losses (median; share found within 10,000), by when it became worse")
    click.echo(f"{'losses':>15} {'mean':>6} {'after 0':>16} {'after 1,000':>16} {'after 10,000':>16}")
    for name, draw in KINDS.items():
        for mean in (0.22, 0.25, 0.30, 0.40):
            cells = [_delay(random, draw, mean, good, max(runs // 4, 20)) for good in (0, 1_000, 10_000)]
            click.echo(f"{name:>15} {mean:6.2f} {' '.join(f'{cell:>16}' for cell in cells)}")


def _late(random: np.random.Generator, runs: int) -> None:
    """False alarms when the delay of a verdict depends on it: 5 % frauds, over 120 days, the bound 10 % too high."""
    click.echo("\never called worse, 6,000 losses, when frauds are told sooner")
    click.echo(f"{'frauds, others':>17} {'order known':>12} {'order made':>12}")
    for fraud_days, other_days in ((30, 30), (25, 30), (10, 30), (10, 60)):
        alarms = np.mean([_late_alarms(random, fraud_days, other_days) for _ in range(runs)], axis=0)
        click.echo(f"{f'{fraud_days} d, {other_days} d':>17} {alarms[0]:12.1%} {alarms[1]:12.1%}")


def _late_alarms(random: np.random.Generator, fraud_days: float, other_days: float) -> tuple[bool, bool]:
    made = np.sort(random.uniform(0, 120, 6_000))
    is_fraud = random.random(6_000) < FRAUDS
    losses = np.where(is_fraud, 0.6, 0.02)
    known = made + random.exponential(np.where(is_fraud, fraud_days, other_days))
    bound = 1.1 * (FRAUDS * 0.6 + (1 - FRAUDS) * 0.02)
    in_order_known, in_order_made = (
        bool(evidence(of, bound).log_e.max() >= -math.log(ALPHA)) for of in (losses[np.argsort(known)], losses)
    )
    return in_order_known, in_order_made


def _often(random: np.random.Generator, runs: int) -> None:
    """False alarms when customers are asked about again and again within the horizon of one outcome, 90 days."""
    click.echo("\never called worse, 500 customers, 4 outcomes of each, asked about again within the horizon of one")
    click.echo(f"{'times an outcome':>17} {'all count':>12} {'once each':>12}")
    for times in (1, 3, 10, 30):
        alarms = np.mean([_often_alarms(random, times) for _ in range(runs)], axis=0)
        click.echo(f"{times:17} {alarms[0]:12.1%} {alarms[1]:12.1%}")


def _often_alarms(random: np.random.Generator, times: int) -> tuple[bool, bool]:
    outcomes = np.repeat(coins(random, 500 * 4, BOUND), times)
    customers = np.repeat(np.arange(500), 4 * times)
    days = np.tile(np.arange(4 * times) * (90 / times), 500)
    columns = {UNIT: customers.astype(str), AT: days, "loss": outcomes}
    sorted_rows = pa.table(columns).sort_by([(UNIT, "ascending"), (AT, "ascending")]).combine_chunks().to_batches()
    kept = pa.Table.from_batches(list(apart(sorted_rows, 90)))
    in_order = (outcomes[np.argsort(days, kind="stable")], kept.sort_by(AT)["loss"].to_numpy())
    of_all, once = (bool(evidence(losses, BOUND).log_e.max() >= -math.log(ALPHA)) for losses in in_order)
    return of_all, once


def _delay(random: np.random.Generator, draw: Draw, mean: float, good: int, runs: int) -> str:
    """Of streams that were good at first; a false alarm before is no find."""
    delays = []
    for _ in range(runs):
        at = found_at(np.concatenate([draw(random, good, 0.18), draw(random, 10_000, mean)]))
        delays.append(math.inf if at is None or at <= good else at - good)
    share = np.mean(np.isfinite(delays))
    median = np.median(delays)
    return f"{'never' if np.isinf(median) else f'{median:,.0f}'} ({share:.0%})"


if __name__ == "__main__":
    main()
