"""The platform as a wheel, in an environment without a clone, and a project of its user's: the page's own commands."""

import json
import math
import os
import shutil
import statistics
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml
from deltalake import DeltaTable

from tests.cases.waiting import eventually
from tests.e2e.page import Said, Shell, commands
from tests.soak.models import load_models
from tidemill.config.installation import PACKAGES
from tidemill.config.settings import REPO

pytestmark = pytest.mark.timeout(1800)
UV = REPO / ".tools" / "bin" / "uv"
NOT_ON_A_CPU = "nvidia-nccl-cu12; sys_platform == 'never'\nnvidia-nccl-cu13; sys_platform == 'never'\n"
LOCKED = "tidemill/setup/requirements/platform.txt"
MADE_BY_THE_BUILD = {LOCKED, *(f"tidemill/setup/requirements/{name}.txt" for name in ("airflow", "flink"))}
USERS = [f"U{number:04}" for number in range(200)]
STRANGER = "nobody-has-seen-me"
EXACT = 1e-9
Event = Mapping[str, Any]


def built(command: list[object]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([*map(str, command)], cwd=REPO, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel and its constraints, as `make wheel` makes them."""
    folder = tmp_path_factory.mktemp("dist")
    built([UV, "build", "--wheel", "--out-dir", folder])
    locked = ["--frozen", "--no-default-groups", "--group", "platform", "--no-emit-project", "--no-hashes"]
    built([UV, "export", *locked, "--format", "requirements-txt", "--output-file", folder / "constraints.txt"])
    return folder


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Python environment with the wheel and what it asks for, but for a library of graphics cards.

    The locked libraries come first, by their hashes: so uv takes from its cache what it would build again.
    """
    folder = tmp_path_factory.mktemp("installed") / "environment"
    (wheel,) = dist.glob("*.whl")
    zipfile.ZipFile(wheel).extract(LOCKED, dist)
    override = dist / "override.txt"
    override.write_text(NOT_ON_A_CPU, encoding="utf-8")
    built([UV, "venv", "--seed", folder])
    install = [UV, "pip", "install", "--python", folder / "bin" / "python"]
    built([*install, "--no-deps", "--requirement", dist / LOCKED])
    built([*install, "--constraint", dist / "constraints.txt", "--override", override, wheel])
    yield folder
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Project:
    """A project whose stack runs; the ``shell`` is in its folder, and ``predictions`` were asked for by ourselves."""

    shell: Shell
    url: str
    request_id: str
    predictions: Mapping[str, Mapping[str, Any]]

    @property
    def root(self) -> Path:
        return self.shell.folder

    def ask(self, route: str, body: object) -> Any:
        answer = httpx.post(f"{self.url}/{route}/next_visits", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def table(self, name: str) -> list[Event]:
        rows: list[Event] = DeltaTable(self.root / ".tidemill" / "lake" / name).to_pyarrow_table().to_pylist()
        return rows


@pytest.fixture(scope="module")
def project(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """What the page's commands make, up to the one that stops it, and more predictions; nothing of it is left."""
    place = tmp_path_factory.mktemp("away")
    for folder in ("work", "bin"):
        (place / folder).mkdir()
    (place / "bin" / "uv").symlink_to(UV)  # set-up is quicker with it
    shell = Shell.of([environment / "bin", place / "bin"], place / "work", TIDEMILL_CACHE=str(place / "cache"))
    *until_it_stops, stop = commands()
    assert stop == "tidemill down"
    try:
        for command in until_it_stops:
            shell.run(command)
        url = shell.run("tidemill config get serving.url").stdout.strip()
        asked = Project(shell, url, "", {}).ask("predict", {"instances": [{"user_id": user} for user in USERS]})
        yield Project(
            shell, url, asked["request_id"], {prediction["user_id"]: prediction for prediction in asked["predictions"]}
        )
        shell.run(stop)
        assert not running_of(place), "after the page's last command nothing of it runs"
    finally:
        if (shell.folder / "tidemill.toml").exists():
            shell.run("tidemill down --purge --yes")
        shutil.rmtree(place / "cache", ignore_errors=True)


def running_of(place: Path) -> dict[int, list[str]]:
    """The processes that work in ``place``, by what they were started with."""
    found = {}
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(str(place) in text for text in told):
            found[process.pid] = told
    return found


def test_the_wheel_has_what_git_tracks_of_the_packages_and_locked_requirements(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *PACKAGES]
    tracked = subprocess.run(listed, cwd=REPO, capture_output=True, text=True, check=True).stdout.split()
    assert names == {name for name in tracked if (REPO / name).is_file()} | MADE_BY_THE_BUILD


def test_from_a_new_project_to_an_answer_it_takes_eight_commands() -> None:
    every = commands()
    (first,) = (number for number, command in enumerate(every) if command.startswith("tidemill new"))
    answer = next(number for number, command in enumerate(every) if "/predict/next_visits" in command)
    assert answer - first < 8


def test_nothing_that_runs_or_is_said_knows_the_clone(project: Project) -> None:
    processes = running_of(project.root)
    assert len(processes) > 9
    for told in processes.values():
        assert not [text for text in told if str(REPO) in text]
    where = project.shell.run("tidemill config show --json && python -c 'import tidemill; print(tidemill.__file__)'")
    assert str(REPO) not in where.stdout


def test_advice_is_for_somebody_without_a_makefile(project: Project) -> None:
    told = project.shell.run("JAVA_HOME=/nowhere tidemill doctor || test $? = 1").stdout
    assert "install Java 17 or 21 and set JAVA_HOME to it" in told
    assert "`make" not in told


def test_no_command_warns_or_complains(project: Project) -> None:
    def lines(said: Said) -> list[str]:
        return [line for line in (said.stdout + said.stderr).splitlines() if "Warning" in line or "Traceback" in line]

    assert {said.command: lines(said) for said in project.shell.said if lines(said)} == {}
    assert "nothing wrong" in project.shell.last("tidemill check").stdout
    assert "cases: 5, 0 failed" in project.shell.last("tidemill test").stdout


def test_the_training_went_through_airflow_and_its_model_answers(project: Project) -> None:
    said = project.shell.last("tidemill retrain request next_visits")
    assert " of next_visits is promoted" in said.stdout
    assert " claimed by retrain_next_visits " in said.stderr, "by a run of the DAG, perhaps of its schedule"
    answer = json.loads(project.shell.last("curl -fs --retry").stdout)
    assert [prediction["user_id"] for prediction in answer["predictions"]] == ["U0001", "U0002"]
    assert answer["model"]["alias"] == "champion"


def test_a_table_that_others_broke_leads_to_a_model_of_what_is_there_now(project: Project) -> None:
    answers = {name: json.loads((project.root / f"{name}.json").read_text()) for name in ("before", "after")}
    assert [answers[name]["model"]["version"] for name in ("before", "after")] == ["1", "2"]
    assert "drift" in project.shell.last("tidemill retrain list").stdout
    look = project.shell.last("tidemill drift look next_visits").stdout
    sums = ("visits__seconds_sum_14d", "visits__seconds_sum_28d")  # in the evening 7 days have a day less than learnt
    of_seconds = [line for line in look.splitlines() if any(name in line for name in sums)]
    assert len(of_seconds) == 6
    assert [line for line in of_seconds if "drifted" in line] == []


def floor(time: datetime, hop: timedelta) -> datetime:
    return time - (time - datetime(1970, 1, 1, tzinfo=UTC)) % hop


def by_hand(visits: list[Event], at: datetime) -> dict[str, float | None]:
    """The features of a user with these visits, written from features.py and docs/windows.md."""

    def within(days: int) -> list[Event]:
        begin = floor(at - timedelta(days), timedelta(hours=1) if days < 12 else timedelta(1))
        return [visit for visit in visits if begin <= visit["event_time"] < at]

    past = [visit["event_time"] for visit in visits if visit["event_time"] < at]
    values: dict[str, float | None] = {}
    for days in (7, 14, 28):
        values[f"visits__count_{days}d"] = len(within(days))
        values[f"visits__seconds_sum_{days}d"] = math.fsum(visit["seconds"] for visit in within(days))
    values["visits__page_count_distinct_28d"] = len({visit["page"] for visit in within(28)})
    values["visits__time_since_last_all"] = (at - max(past)).total_seconds() if past else None
    values["recent_share"] = len(within(7)) / len(within(28)) if within(28) else None
    return values


def test_the_features_and_answers_are_those_of_a_loop_over_the_visits(project: Project) -> None:
    eventually(lambda: len(logged_by(project)) == len(USERS), "the answers in the lake")
    command = f"tidemill features consistency next_visits --at-least {len(USERS)} --json"
    consistency = json.loads(project.shell.run(command).stdout)
    assert consistency["fetches"] >= len(USERS)
    assert consistency["rate"] == 0
    assert {feature["matched"] for feature in consistency["features"]} == {consistency["fetches"]}
    assert not sum(feature[kind] for feature in consistency["features"] for kind in ("mismatched", "missing", "extra"))

    visits: dict[str, list[Event]] = {}
    for visit in project.table("silver/visits"):
        visits.setdefault(visit["user_id"], []).append(visit)
    logged = logged_by(project)
    registry = project.shell.run("tidemill config get mlflow.tracking_uri").stdout.strip()
    models = load_models(registry, "next_visits")
    for user in USERS:
        expected = by_hand(visits.get(user, []), logged[user]["features_at"])
        features = logged[user]["features"]
        assert features.keys() == expected.keys()
        wrong = {name: (features[name], value) for name, value in expected.items() if not same(features[name], value)}
        assert not wrong, user
        answer = project.predictions[user]
        if user in visits:
            model = models[logged[user]["model_id"]]
            assert (answer["value"], answer["degraded"]) == (pytest.approx(model.value(expected)), []), user
        else:
            assert answer["degraded"] == ["cold_start"], user


def logged_by(project: Project) -> dict[str, Event]:
    """What the lake has of our own request, by user."""
    rows = [row for row in map(plain, project.table("silver/predictions")) if row["request_id"] == project.request_id]
    return {row["entities"]["user_id"]: row for row in rows}


def same(value: float | None, expected: float | None) -> bool:
    if value is None or expected is None:
        return value is expected
    return math.isclose(value, expected, rel_tol=EXACT)


def plain(row: Event) -> dict[str, Any]:
    """Maps as dicts: Arrow makes lists of pairs of them."""
    return {**row, "entities": dict(row["entities"]), "features": dict(row["features"] or {})}


def test_the_reasons_of_an_answer_add_up_to_it(project: Project) -> None:
    for user in USERS[:20]:
        explained = project.ask("explain", {"instance": {"user_id": user}, "top": 100})
        total = explained["base"] + sum(reason["contribution"] for reason in explained["reasons"]) + explained["rest"]
        assert total == pytest.approx(explained["output"])
        assert max(explained["output"], 0) == pytest.approx(explained["prediction"]["value"])
        assert len(explained["reasons"]) == 9


def test_a_user_nobody_has_seen_gets_the_mean_and_is_told_so(project: Project) -> None:
    (answer,) = project.ask("predict", {"instances": [{"user_id": STRANGER}]})["predictions"]
    assert answer["degraded"] == ["cold_start"]
    assert answer["interval"] is None
    known = statistics.mean(prediction["value"] for prediction in project.predictions.values())
    assert answer["value"] == pytest.approx(known, rel=0.5)


def test_the_projects_own_ci_installs_the_wheel_and_runs_what_passes(project: Project, dist: Path) -> None:
    workflow = yaml.safe_load((project.root / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    install, *checks = (step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step)
    assert checks == ["tidemill check", "tidemill test"]
    (project.root / "wheels").symlink_to(dist)
    tried = project.shell.run(f"{install} --dry-run --no-deps --no-index --ignore-installed")
    assert "Would install tidemill-" in tried.stdout
