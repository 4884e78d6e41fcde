"""What drift costs: the profile of a window in one pass and its verdicts, against Evidently's default preset.

    python benchmarks/drift_speed.py [--rows 1000000] [--columns 100] [--evidently PYTHON] [--small]

The window is of normal columns, made before the clock starts; the reference is a profile of a hundredth of the rows, at
least 10,000, as it is kept with a model: what it once cost is not part of a look. ``growth`` repeats it at 0.1 and 10
times the rows, and at a tenth and ten times the columns; ten times the rows are read in pieces that are made apart from
the clock. Evidently gets 100,000 x 50 on both sides, and so do we, profiles of both sides included; the ratio is of
processor seconds in the same run. Beside the seconds that passed stand those of the processor, which do not depend on
who else uses the machine. ``--small`` leaves out ten times of both. Prints tables in Markdown.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from drift_windows import EVIDENTLY, write_pair

from monitoring.drift import Current, Reference, judge
from monitoring.profiles import TableDefinition, TableProfile, profile_table

AGAINST = (100_000, 50)
PIECE = 50_000_000  # numbers held at once: 400 MB
Result = TypeVar("Result")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--evidently", type=Path, help="a Python with Evidently")
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    rows, columns = arguments.rows, arguments.columns
    shapes = [(rows, columns), (rows // 10, columns), (rows, columns // 10)]
    if not arguments.small:
        shapes += [(rows * 10, columns), (rows, columns * 10)]
    look(10_000, 2)  # what is made once a process
    print("| rows | columns | profile (processor s) | verdicts | both | times the first | passed (s) | ns a value |")
    print("|---|---|---|---|---|---|---|---|")
    first = 0.0
    for shape in shapes:
        profiling, judging = look(*shape)
        total = profiling + judging
        first = first or total.processor
        cells = [profiling.processor, judging.processor, total.processor, total.processor / first, total.passed]
        front = " | ".join(f"{count:,}" for count in shape)
        each = total.processor / (shape[0] * shape[1]) * 1e9
        print(f"| {front} |", " | ".join(f"{cell:.2f}" for cell in cells), f"| {each:.0f} |", flush=True)
    print()
    if arguments.evidently is None:
        print("Evidently: not asked, no --evidently PYTHON was given")
    else:
        tell_evidently(arguments.evidently)


@dataclass(frozen=True)
class Seconds:
    """What passed, and what of it the processor worked for this process."""

    passed: float = 0.0
    processor: float = 0.0

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.passed + other.passed, self.processor + other.processor)


def timed(work: Callable[[], Result]) -> tuple[Result, Seconds]:
    began, worked = time.perf_counter(), time.process_time()
    result = work()
    return result, Seconds(time.perf_counter() - began, time.process_time() - worked)


def look(rows: int, columns: int) -> tuple[Seconds, Seconds]:
    """To profile a window, and to judge it."""
    reference = next(iter(pieces(max(rows // 100, 10_000), columns, seed=1)))
    before = profile_table(reference, TableDefinition.of_schema(reference.schema))
    now = TableProfile.empty(before.definition_to_compare())
    profiling = Seconds()
    for piece in pieces(rows, columns, seed=2):
        profile, seconds = timed(partial(profile_table, piece, now.definition))
        now, profiling = now.merge(profile), profiling + seconds
    _, judging = timed(lambda: judge(Reference(before), Current(now, NOON)))
    return profiling, judging


def pieces(rows: int, columns: int, seed: int) -> Iterator[pa.Table]:
    """Tables of normal columns, in batches of 65,536 rows as Parquet's readers give them."""
    random = np.random.default_rng(seed)
    at_once = max(1, PIECE // columns)
    for start in range(0, rows, at_once):
        size = min(at_once, rows - start)
        table = pa.table({f"x{column}": random.normal(size=size) for column in range(columns)})
        yield pa.Table.from_batches(table.to_batches(max_chunksize=65_536))


def tell_evidently(python: Path) -> None:
    """Both sides of a comparison from their rows, by us and by Evidently's default preset."""
    reference, current = (next(iter(pieces(*AGAINST, seed=seed))) for seed in (1, 2))

    def compare() -> None:
        before = profile_table(reference, TableDefinition.of_schema(reference.schema))
        judge(Reference(before), Current(profile_table(current, before.definition_to_compare()), NOON))

    ours = min((timed(compare)[1] for _ in range(3)), key=lambda seconds: seconds.processor)
    with tempfile.TemporaryDirectory() as folder:
        write_pair(Path(folder), "speed", reference, current)
        command = [python, EVIDENTLY, folder, "--time"]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    theirs = Seconds(*json.loads(done.stdout.splitlines()[-1])["speed"])
    print("| 100,000 x 50, both sides | processor s | ratio | passed (s) |")
    print("|---|---|---|---|")
    print(f"| both profiles and verdicts | {ours.processor:.2f} | 1 | {ours.passed:.2f} |")
    ratio = theirs.processor / ours.processor
    print(f"| Evidently's default preset | {theirs.processor:.2f} | {ratio:.1f} | {theirs.passed:.2f} |")


if __name__ == "__main__":
    main()
