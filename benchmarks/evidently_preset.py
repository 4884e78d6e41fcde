"""Which columns Evidently's default drift preset calls drifted; run by the drift benchmarks in a Python that has it.

    PYTHON benchmarks/evidently_preset.py FOLDER [--time]

The last line is JSON: for each pair in the folder its drifted columns, or with ``--time`` the seconds that passed
and those of the processor.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd


def main() -> None:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    answers: dict[str, Any] = {}
    for reference in sorted(arguments.folder.glob("*.reference")):
        before, now = pd.read_parquet(reference), pd.read_parquet(reference.with_suffix(".current"))
        began, worked = time.perf_counter(), time.process_time()
        result = Report([DataDriftPreset()]).run(current_data=now, reference_data=before).dict()
        seconds = [time.perf_counter() - began, time.process_time() - worked]
        answers[reference.stem] = seconds if arguments.time else drifted(result)
    print(json.dumps(answers))


def drifted(result: dict[str, Any]) -> list[str]:
    """A p-value drifts below its threshold, a distance from it on."""
    columns = []
    for metric in result["metrics"]:
        config = metric["config"]
        if not config["type"].endswith(":ValueDrift"):
            continue
        is_below = metric["value"] < config["threshold"]
        if is_below == ("p_value" in config["method"]):
            columns.append(config["column"])
    return columns


if __name__ == "__main__":
    main()
