"""`tidemill check` says all that is wrong at once, where, and what to write instead."""

import json
from pathlib import Path

import pytest

from tests.unit.tidemill.projects.conftest import Run, edit

FEATURES, LABELS, MODEL = (f"use_cases/lapse/{file}" for file in ("features.py", "labels.py", "model.yaml"))
CONTRACT = "contracts/app.visit.v1.json"


def problems(run: Run, *arguments: str) -> list[str]:
    done = run("check", *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_everything_that_is_wrong_is_said_in_one_run(run: Run, project: Path) -> None:
    edit(project / "tidemill.toml", "# [kafka]\n# partitions = 8", "[kafka]\npartition = 8")
    edit(project / CONTRACT, '"maximum": 86400', '"maximum": 100')
    edit(project / CONTRACT, '"user_id": {', '"event_id": {"type": "string"},\n    "user_id": {')
    edit(project / CONTRACT, '"referrer": {"type": ["string", "null"]', '"referrer": {"type": ["string", "integer"]')
    (project / "contracts" / "app.bad.v1.json").write_text('{"a": }', encoding="utf-8")
    (project / "sources" / "other.py").write_text("def event():\n    return\n", encoding="utf-8")
    (project / "use_cases" / "broken").mkdir()
    (project / "use_cases" / "broken" / "features.py").write_text("import os\n\nx = 1 / 0\n", encoding="utf-8")
    said = "\n".join(problems(run))
    for part in (
        "tidemill.toml: kafka.partition = 8: ",
        "did you mean 'partitions'?",
        "contracts/app.bad.v1.json: cannot be read: Expecting value: line 1 column 7",
        f"{CONTRACT}:10: property 'event_id' is called like a column of silver's own: rename it",
        f"{CONTRACT}:15: /properties/referrer must have exactly one type beside null",
        "/seconds: maximum is tighter, against published/app.visit.v1.json: old events must stay valid",
        "begin a new topic, app.visit.v2.json",
        "sources/other.py: there is no function events()",
        "use_cases/broken/features.py:3: ZeroDivisionError: division by zero",
    ):
        assert part in said, said


def test_features_are_held_against_the_contract(run: Run, project: Path) -> None:
    edit(project / FEATURES, 'column("seconds").sum()', 'column("secnds").sum(), column("platform").mean()')
    edit(project / FEATURES, 'column("page").count', 'column("platform").count_categories("iso"), column("page").count')
    edit(
        project / FEATURES,
        "    windows=(days(7)",
        '    filters=(column("platform") == "wbe", column("seconds") == "long", column("refer") != "x"),\n'
        "    windows=(days(7)",
    )
    said = problems(run)
    group = "FeatureGroup visits"
    assert f"{FEATURES}:25: {group}: sum: app.visit.v1 has no 'secnds'; did you mean 'seconds'?" in said
    needs = "mean of 'platform', which is STRING, needs numbers"
    assert any(line.startswith(f"{FEATURES}:") and f"{group}: {needs}" in line for line in said)
    assert any("'platform' count_categories 'iso' never holds" in line and "'ios'" in line for line in said)
    enum = "'platform' == 'wbe' never holds: the contract's enum does not list it; did you mean 'web'?"
    assert f"{FEATURES}:21: {group}: filters: {enum}" in said
    assert any("'seconds' is DOUBLE, and is compared with 'long'" in line for line in said)
    assert any("filters: app.visit.v1 has no 'refer'; did you mean 'referrer'?" in line for line in said)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (FEATURES, '"silver/visits"', '"silver/visit"', r"no contract has the table 'silver/visit'; did you mean"),
        (FEATURES, '"user_id"', '"seconds"', "entity: 'seconds' is DOUBLE, and a key is a text or a whole number"),
        (FEATURES, "days(28)),\n    agg", "minutes(1)),\n    agg", "features.py:21: NameError: name 'minutes'"),
        (
            FEATURES,
            "days(28)),\n    agg",
            "days(0)),\n    agg",
            "features.py:17: FeatureGroup visits: windows: 0:",
        ),
        (FEATURES, 'name="lapse"', 'name="lapsed"', "'lapsed': it is called like its folder, 'lapse'"),
        (FEATURES, "SERVICE =", "SERVICES =", "SERVICE is missing: write SERVICE = FeatureService(name='lapse'"),
        (FEATURES, "aggregations=(", "aggregations=((", "features.py:17: SyntaxError"),
        (LABELS, "app.visit.v1", "app.visits.v1", "no contract for topic 'app.visits.v1'"),
        (LABELS, '"user_id"', '"user"', "labels.py: app.visit.v1 has no column 'user'"),
        (LABELS, "HORIZON_DAYS = 14", "HORIZON_DAYS = 14 +", "labels.py:7: SyntaxError"),
        (MODEL, "trials: 12", "trial: 12", "model.yaml: search.trial is no key of a specification; did you mean"),
        (MODEL, "visits__time_since_last_all", "visits__since", "baseline.feature = 'visits__since' is not one of"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(  # noqa: PLR0917 - a case and its project
    file: str, old: str, new: str, message: str, run: Run, project: Path
) -> None:
    edit(project / file, old, new)
    said = "\n".join(problems(run))
    assert message in said, said


def test_a_published_contract_that_is_gone_is_a_problem(run: Run, project: Path) -> None:
    (project / CONTRACT).unlink()
    said = "\n".join(problems(run))
    assert "contracts/published/app.visit.v1.json: this contract was published" in said


def test_problems_are_json_for_programs(run: Run, project: Path) -> None:
    edit(project / FEATURES, 'column("seconds").sum()', 'column("secnds").sum()')
    (problem,) = json.loads("\n".join(problems(run, "--json")))
    assert (problem["file"], problem["line"]) == (str(project / FEATURES), 24)


def test_two_groups_of_one_name_are_told_apart(run: Run, project: Path) -> None:
    other = project / "use_cases" / "second"
    other.mkdir()
    text = (project / FEATURES).read_text(encoding="utf-8")
    changed = text.replace('name="lapse"', 'name="second"').replace("days(28)),\n", "days(28), days(56)),\n", 1)
    (other / "features.py").write_text(changed, encoding="utf-8")
    (line,) = problems(run)
    assert line.endswith("FeatureGroup 'visits' is not that of use case 'lapse': give it another name")
