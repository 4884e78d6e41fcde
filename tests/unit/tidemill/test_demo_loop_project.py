"""The project that the loop runs in: valid as it is made, made once, and its bad copy differs in the model alone."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml

from tidemill.config import load_settings
from tidemill.config.settings import REPO
from tidemill.demo.loop.bad import CANDIDATE, copy_with
from tidemill.demo.loop.plan import make_plan
from tidemill.demo.loop.project import TEMPLATE, USE_CASE, LoopExistsError, make

MAIN = "from tidemill.cli import main; main()"
MODEL = Path("use_cases") / USE_CASE / "model.yaml"


def checked(project: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(project.parent), "PYTHONPATH": str(REPO)}
    line = [sys.executable, "-c", MAIN, "--project", str(project), "check"]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


def test_the_project_is_valid(tmp_path: Path) -> None:
    made = checked(make(tmp_path / "loop"))
    assert made.returncode == 0, made.stderr
    counted = "12 contracts, 4 use cases, 3 gold tables, 1 suites of expectations, 2 jobs of Flink"
    assert made.stdout == f"demo-loop: {counted}: nothing wrong\n"


def test_the_copy_with_a_bad_model_is_valid_and_differs_in_its_candidates(tmp_path: Path) -> None:
    copy_with(tmp_path / "copy", {CANDIDATE: {}})
    made = checked(tmp_path / "copy")
    assert made.returncode == 0, made.stderr
    ours, theirs = (yaml.safe_load((root / MODEL).read_text()) for root in (TEMPLATE, tmp_path / "copy"))
    assert theirs.pop("candidates") == {CANDIDATE: {}}
    assert ours.pop("candidates") != {CANDIDATE: {}}
    assert theirs == ours


def test_a_folder_with_a_loop_is_not_taken_for_another(tmp_path: Path) -> None:
    root = make(tmp_path / "loop")
    with pytest.raises(LoopExistsError, match=f"tidemill --project {root} down --purge"):
        make(tmp_path / "loop")


def test_behaviour_changes_after_the_quiet_days_and_no_day_lies_in_the_future(tmp_path: Path) -> None:
    plan = make_plan(load_settings({"TIDEMILL_HOME": str(tmp_path)}), date(2026, 11, 27))
    assert plan.cards.drift is not None
    assert (plan.cards.drift.start - plan.cards.start).days == plan.planted
    assert plan.cards.end == date(2026, 11, 27)
