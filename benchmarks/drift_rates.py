"""How often the drift monitor cries wolf, and how often it sees the wolf, on real rows.

    python benchmarks/drift_rates.py false-alarms --data DIR [--rows 1000 5000 50000] [--runs 200] [--evidently PYTHON]
    python benchmarks/drift_rates.py weeks --data DIR [--weeks 200]
    python benchmarks/drift_rates.py power --data DIR [--rows 500 1000 5000] [--runs 100] [--evidently PYTHON]

``--data`` has ``online-retail.csv.gz`` and ``fraud-transactions.parquet``; ``--of normal`` needs neither.

Each run draws a reference and a window of other rows by lot, so that nothing has changed, and ``power`` then adds some
standard deviations to a fifth of the features. A week is 28 looks at windows of four six-hour slices each, three of
which the look before had too. Beside the policy that ships stand the naive ones, on the same windows: ``p < 0.05`` of
any feature, ``PSI > 0.1`` of any, and ``BH at 5 %`` at each look. ``--evidently`` names a Python that has Evidently;
its default preset then gets the first ``--evidently-runs`` of the same windows. Prints tables in Markdown.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

import numpy as np
import pyarrow as pa
from drift_windows import LOADERS, WITHOUT_DATA, Rows, a_fifth, by_evidently, shifted, write_pair

from monitoring.drift import Aspect, Current, Judgement, Looks, Reference, judge
from monitoring.profiles import RowSample, TableProfile, profile_table

REFERENCE_ROWS = 50_000
SAMPLED = 1000
SHIFTS = (0.05, 0.1, 0.15, 0.25, 0.5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SLICES, LOOKS = 4, 28

OURS, ANY_P, ANY_PSI, BH = "as it ships", "p < 0.05", "PSI > 0.1", "BH at 5 %"
EVIDENTLY, ASKED = "Evidently", "Evidently asked"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["false-alarms", "weeks", "power"])
    parser.add_argument("--data", type=Path, help="folder of the files that rows are of")
    parser.add_argument("--of", nargs="+", choices=list(LOADERS))
    parser.add_argument("--rows", type=int, nargs="+")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=200)
    parser.add_argument("--evidently", type=Path, help="a Python with Evidently")
    parser.add_argument("--evidently-runs", type=int, default=20)
    arguments = parser.parse_args()
    if arguments.evidently is None and arguments.part != "weeks":
        print("Evidently: not asked, no --evidently PYTHON was given\n")
    names = arguments.of or (["retail", "fraud"] if arguments.part != "power" else ["normal", "retail", "fraud"])
    if arguments.data is None and not set(names) <= set(WITHOUT_DATA):
        parser.error("the following arguments are required: --data")
    all_rows = [LOADERS[name](arguments.data) for name in names]
    if arguments.part == "weeks":
        tell_weeks(all_rows, arguments.weeks, (arguments.rows or [5000])[0])
    elif arguments.part == "power":
        tell_power(all_rows, arguments.rows or [500, 1000, 5000], arguments)
    else:
        tell_false_alarms(all_rows, arguments.rows or [1000, 5000, 50_000], arguments)


def tell_false_alarms(all_rows: list[Rows], sizes: list[int], arguments: argparse.Namespace) -> None:
    print("| rows of | columns | window | runs | as it ships | p < 0.05 | PSI > 0.1 | Evidently |")
    print("|---|---|---|---|---|---|---|---|")
    for rows in all_rows:
        for size in sizes:
            asked = Runs(rows, size, 0.0, arguments)
            raised = asked.counted()
            cells = [percent(raised[rule], arguments.runs) for rule in (OURS, ANY_P, ANY_PSI)]
            cells.append(percent(raised[EVIDENTLY], raised[ASKED]))
            front = [rows.name, len(rows.definition.columns), f"{size:,}", arguments.runs]
            print("|", " | ".join(map(str, [*front, *cells])), "|", flush=True)


def tell_power(all_rows: list[Rows], sizes: list[int], arguments: argparse.Namespace) -> None:
    print("| rows of | window | shift (SD) | runs | found | moved features found | Evidently found | its features |")
    print("|---|---|---|---|---|---|---|---|")
    for rows in all_rows:
        for size in sizes:
            for shift in SHIFTS:
                found = Runs(rows, size, shift, arguments).counted()
                cells = [
                    percent(found[OURS], arguments.runs),
                    percent(found["features"], found["moved"]),
                    percent(found[EVIDENTLY], found[ASKED]),
                    percent(found["Evidently features"], found["Evidently moved"]),
                ]
                front = [rows.name, f"{size:,}", shift, arguments.runs]
                print("|", " | ".join(map(str, [*front, *cells])), "|", flush=True)


@dataclass(frozen=True)
class Runs:
    """Runs of one cell of a table: without a shift anything raised counts, with one what is said of moved columns."""

    rows: Rows
    size: int
    shift: float
    arguments: argparse.Namespace

    def counted(self) -> Counter[str]:
        random = np.random.default_rng([self.size, round(self.shift * 1000)])
        total: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            planted = {}
            for run in range(self.arguments.runs):
                reference, window = self.rows.windows(random, REFERENCE_ROWS, self.size)
                before = profile_table(reference, self.rows.definition)
                columns = a_fifth(self.rows, random) if self.shift else []
                window = shifted(window, columns, self.shift, deviations(before, columns))
                total.update(self._judged(random, before, (reference, window), columns))
                if self.arguments.evidently and run < self.arguments.evidently_runs:
                    write_pair(Path(folder), str(run), reference, window)
                    planted[str(run)] = columns
            if planted:
                total.update(self._by_evidently(Path(folder), planted))
        return total

    def _judged(
        self, random: np.random.Generator, before: TableProfile, sides: tuple[pa.Table, pa.Table], columns: list[str]
    ) -> Counter[str]:
        now = profile_table(sides[1], before.definition_to_compare())
        samples = [RowSample.of(side, SAMPLED, random) if not self.shift else None for side in sides]
        judgement = judge(Reference(before, sample=samples[0]), Current(now, NOON, samples[1]))
        if not self.shift:
            return naive_rules(judgement)
        drifted = {verdict.finding.feature for verdict in judgement.drifted}
        return counted_features(drifted, columns, OURS, "features", "moved")

    def _by_evidently(self, folder: Path, planted: dict[str, list[str]]) -> Counter[str]:
        total: Counter[str] = Counter({ASKED: len(planted)})
        for run, drifted in by_evidently(self.arguments.evidently, folder).items():
            if self.shift:
                total.update(
                    counted_features(set(drifted), planted[run], EVIDENTLY, "Evidently features", "Evidently moved")
                )
            else:
                total[EVIDENTLY] += bool(drifted)
        return total


def naive_rules(judgement: Judgement) -> Counter[str]:
    """Which rules raise anything."""
    findings = [verdict.finding for verdict in judgement.verdicts]
    p_values = [f.p_value for f in findings if f.p_value is not None and f.aspect is Aspect.DISTRIBUTION]
    psi = [statistic.value for finding in findings for statistic in finding.statistics if statistic.name == "psi"]
    discoveries = [v for v in judgement.verdicts if v.adjusted_p_value is not None and v.adjusted_p_value <= 0.05]
    return Counter(
        {
            OURS: int(bool(judgement.drifted)),
            ANY_P: int(min(p_values) < 0.05),
            ANY_PSI: int(max(psi) > 0.1),
            BH: int(bool(discoveries)),
        }
    )


def counted_features(drifted: set[str | None], columns: list[str], run: str, hits: str, of: str) -> Counter[str]:
    seen = len(drifted & set(columns))
    return Counter({run: int(seen > 0), hits: seen, of: len(columns)})


def deviations(profile: TableProfile, columns: list[str]) -> dict[str, float]:
    return {name: profile.columns[name].moments.standard_deviation for name in columns}  # type: ignore[union-attr]


def tell_weeks(all_rows: list[Rows], weeks: int, window_rows: int) -> None:
    print("| rows of | window | weeks | as it ships | p < 0.05 | PSI > 0.1 | BH at 5 % |")
    print("|---|---|---|---|---|---|---|")
    for rows in all_rows:
        raised: Counter[str] = Counter()
        for week in range(weeks):
            alarms = list(looks_of_a_week(rows, np.random.default_rng(week), window_rows // SLICES))
            for rule in (OURS, ANY_P, ANY_PSI, BH):
                raised[rule] += any(alarm[rule] for alarm in alarms)
        cells = [percent(raised[rule], weeks) for rule in (OURS, ANY_P, ANY_PSI, BH)]
        print("|", " | ".join([rows.name, f"{window_rows:,}", str(weeks), *cells]), "|", flush=True)


def looks_of_a_week(rows: Rows, random: np.random.Generator, slice_rows: int) -> Iterator[Counter[str]]:
    """Which rules raise anything at each look."""
    reference, *slices = rows.windows(random, REFERENCE_ROWS, *[slice_rows] * (LOOKS + SLICES - 1))
    before = profile_table(reference, rows.definition)
    profiles = [profile_table(part, before.definition_to_compare()) for part in slices]
    looks = Looks()
    for look in range(LOOKS):
        now = reduce(TableProfile.merge, profiles[look : look + SLICES])
        judgement = judge(Reference(before), Current(now, NOON + look * timedelta(hours=6)), looks=looks)
        looks = judgement.looks
        yield naive_rules(judgement)


def percent(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "-"


if __name__ == "__main__":
    main()
