"""`tidemill check` says all that is wrong at once, where, and what to write instead."""

import json
from pathlib import Path

import pytest

from tests.unit.tidemill.projects.conftest import Run, edit

FEATURES, LABELS, MODEL = (f"use_cases/next_visits/{file}" for file in ("features.py", "labels.py", "model.yaml"))
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
    assert f"{FEATURES}:26: {group}: sum: app.visit.v1 has no 'secnds'; did you mean 'seconds'?" in said
    needs = "mean of 'platform', which is STRING, needs numbers"
    assert any(line.startswith(f"{FEATURES}:") and f"{group}: {needs}" in line for line in said)
    assert any("'platform' count_categories 'iso' never holds" in line and "'ios'" in line for line in said)
    enum = "'platform' == 'wbe' never holds: the contract's enum does not list it; did you mean 'web'?"
    assert f"{FEATURES}:22: {group}: filters: {enum}" in said
    assert any("'seconds' is DOUBLE, and is compared with 'long'" in line for line in said)
    assert any("filters: app.visit.v1 has no 'refer'; did you mean 'referrer'?" in line for line in said)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (FEATURES, '"silver/visits"', '"silver/visit"', r"no contract has the table 'silver/visit'; did you mean"),
        (FEATURES, '"silver/visits"', '"silver/visits", event_time="page"', "event_time: 'page' is STRING, and a time"),
        (FEATURES, '"silver/visits"', '"silver/visits", known_time="page"', "known_time: 'page' is STRING, and a time"),
        (FEATURES, '"user_id"', '"seconds"', "entity: 'seconds' is DOUBLE, and a key is a text or a whole number"),
        (FEATURES, "days(28)),\n    agg", "minutes(1)),\n    agg", "features.py:22: NameError: name 'minutes'"),
        (
            FEATURES,
            "days(28)),\n    agg",
            "days(0)),\n    agg",
            "features.py:18: FeatureGroup visits: windows: 0:",
        ),
        (FEATURES, 'name="next_visits"', 'name="visits"', "'visits': it is called like its folder, 'next_visits'"),
        (FEATURES, "SERVICE =", "SERVICES =", "SERVICE is missing: write SERVICE = FeatureService(name='next_visits'"),
        (FEATURES, "aggregations=(", "aggregations=((", "features.py:18: SyntaxError"),
        (LABELS, "count()", 'column("page").sum()', "labels.py:10: NameError: name 'column' is not defined"),
        (LABELS, "source=EVENTS,", "source=EVENTS, filters=(USER,),", "labels.py:7: FutureAggregate.filters: "),
        (LABELS, "days(14)", "days(14.5)", "labels.py:7: FutureAggregate.active: 14 days, 12:00:00 is not whole days"),
        (LABELS, "answer=Number(),", "answer=Number(),,", "labels.py:13: SyntaxError"),
        (LABELS, "LABEL = ", "LABELS = ", "labels.py: LABEL is None; write LABEL = one of Absence, "),
        (MODEL, "trials: 12", "trial: 12", "model.yaml: search.trial is no key of a specification; did you mean"),
        (MODEL, "visits__count_14d", "visits__since", "baseline.feature = 'visits__since' is not one of"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(  # noqa: PLR0917 - a case and its project
    file: str, old: str, new: str, message: str, run: Run, project: Path
) -> None:
    edit(project / file, old, new)
    said = "\n".join(problems(run))
    assert message in said, said


def test_a_product_is_of_numbers_and_a_boolean_is_none(run: Run, project: Path) -> None:
    edit(project / CONTRACT, '"seconds": {', '"bounced": {"type": ["boolean", "null"]},\n    "seconds": {')
    edit(project / FEATURES, "    LIFETIME,", "    LIFETIME,\n    Product,")
    computed = 'computed=(Product("lost", "seconds", "bounced"),)'
    edit(project / FEATURES, '"silver/visits"', f'"silver/visits", {computed}')
    said = problems(run)
    assert any("computed lost: 'bounced' is BOOLEAN, and a product is of numbers" in line for line in said), said


OUTCOME = """
from feature_store.definitions import Absence, Classes, Number, Outcome, Own, Source, YesNo, column, days
from use_cases.next_visits.features import EVENTS, USER

LABEL = {label}
"""


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (
            "Absence(USER, EVENTS, filters=(column('platform') == 'wbe',),active=days(1),horizon=days(1))",
            "LABEL (Absence): filters: 'platform' == 'wbe' never holds: the contract's enum does not list it; did you",
        ),
        (
            "Absence(entity=USER, source=Source('silver/visit'), active=days(1), horizon=days(1))",
            "LABEL (Absence): no contract has the table 'silver/visit'; did you mean 'silver/visits'?",
        ),
        (
            "Outcome(entity=USER, events=EVENTS, of=EVENTS, key='user', label='referrer')",
            "LABEL (Outcome): key: app.visit.v1 has no 'user'; did you mean 'user_id'?",
        ),
        (
            "Outcome(entity=USER, events=EVENTS, of=EVENTS, key='user_id', label='bought')",
            "LABEL (Outcome): label: app.visit.v1 has no 'bought'",
        ),
        (
            "Outcome(entity=USER, events=EVENTS, of=EVENTS, key='user_id', label='page', answer=Number())",
            "label: 'page' of app.visit.v1 is STRING, and Number takes a number",
        ),
        (
            "Outcome(EVENTS and USER, EVENTS, EVENTS, 'user_id', 'platform', Classes(('web', 'ios', 'tv')))",
            "label: 'platform' of app.visit.v1 may be 'android', as the contract's enum says, and Classes does not",
        ),
        (
            "Own(entity=USER, sources=(EVENTS, EVENTS), rows=lambda visits: visits, answer=YesNo())",
            "LABEL (Own): rows: <lambda> is called with the DataFrames of its 2 sources, in their order, and cannot be",
        ),
        (
            "Own(entity=USER, sources=(Source('silver/visits', event_time='at'),), rows=print, answer=YesNo())",
            "LABEL (Own): event_time: app.visit.v1 has no 'at'",
        ),
    ],
)
def test_every_kind_of_question_is_held_against_the_contracts(
    label: str, message: str, run: Run, project: Path
) -> None:
    (project / LABELS).write_text(OUTCOME.format(label=label), encoding="utf-8")
    said = problems(run)
    assert any(line.startswith(f"{LABELS}:5: LABEL") and message in line for line in said), said


def test_a_folder_without_features_is_no_use_case_and_said_to_be_none(run: Run, project: Path) -> None:
    (project / FEATURES).unlink()
    said = problems(run)
    assert f"{LABELS}: there is no features.py beside it, so the folder is no use case: write one" in said
    assert f"{MODEL}: there is no features.py beside it, so the folder is no use case: write one" in said


def test_a_published_contract_that_is_gone_is_a_problem(run: Run, project: Path) -> None:
    (project / CONTRACT).unlink()
    said = "\n".join(problems(run))
    assert "contracts/published/app.visit.v1.json: this contract was published" in said


def test_problems_are_json_for_programs(run: Run, project: Path) -> None:
    edit(project / FEATURES, 'column("seconds").sum()', 'column("secnds").sum()')
    (problem,) = json.loads("\n".join(problems(run, "--json")))
    assert (problem["file"], problem["line"]) == (str(project / FEATURES), 25)


def test_two_groups_of_one_name_are_told_apart(run: Run, project: Path) -> None:
    other = project / "use_cases" / "second"
    other.mkdir()
    text = (project / FEATURES).read_text(encoding="utf-8")
    changed = text.replace('name="next_visits"', 'name="second"').replace("days(28)),\n", "days(28), days(56)),\n", 1)
    (other / "features.py").write_text(changed, encoding="utf-8")
    (line,) = problems(run)
    assert line.endswith("FeatureGroup 'visits' is not that of use case 'next_visits': give it another name")


GOLD = """
description: visits a day
source: app.visits.v1
revision: 1
keys: [event_date]
columns: {event_date: DATE, visits: BIGINT}
query: SELECT event_date, count(*) AS visits FROM events GROUP BY event_date
"""


JOB = """
description: the same visits again
reads: {visits: app.visits.v1}
writes: app.visit.v1
waits_s: [5]
query: SELECT * FROM visits
"""


def test_jobs_of_flink_are_held_against_the_contracts(run: Run, project: Path) -> None:
    file = project / "use_cases" / "pages" / "flink" / "again.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(JOB, encoding="utf-8")
    file.with_name("again.sql").touch()
    place = "use_cases/pages/flink"
    assert problems(run) == [
        f"{place}/again.sql: it declares no job of Flink: a file that does is called <job>.yaml",
        f"{place}/again.yaml: reads.visits = 'app.visits.v1': no contract has this topic; did you mean 'app.visit.v1'?",
    ]
    file.with_name("again.sql").unlink()
    edit(file, "app.visits.v1", "app.visit.v1")
    assert run("check").returncode == 0
    edit(file, "waits_s: [5]", "waits_s: [5, 1]")
    (said,) = problems(run)
    assert "do not ascend" in said


def test_gold_tables_are_held_against_the_contracts(run: Run, project: Path) -> None:
    file = project / "use_cases" / "pages" / "gold" / "visits_daily.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(GOLD, encoding="utf-8")
    file.with_name("visits.yml").touch()
    place = "use_cases/pages/gold"
    assert problems(run) == [
        f"{place}/visits.yml: it declares no gold table: a file that does is called <table>.yaml",
        f"{place}/visits_daily.yaml:3: source = 'app.visits.v1': no contract has this topic; "
        "did you mean 'app.visit.v1'?",
    ]
    file.with_name("visits.yml").unlink()
    edit(file, "app.visits.v1", "app.visit.v1")
    done = run("check")
    assert done.stdout == "mine: 2 contracts, 1 use cases, 1 gold tables: nothing wrong\n", done.stdout
    edit(file, "BIGINT", "LONG")
    edit(file, "revision: 1", "revison: 1")
    said = "\n".join(problems(run))
    assert f"{place}/visits_daily.yaml: columns: visits: 'LONG' is no type of a column" in said
    assert f"{place}/visits_daily.yaml: revison is no key of a gold table; did you mean 'revision'?" in said
    (file.parents[2] / "more" / "gold").mkdir(parents=True)
    (file.parents[2] / "more" / "gold" / file.name).write_text(GOLD, encoding="utf-8")
    (said,) = problems(run)
    assert said.startswith("tidemill.toml: gold table 'visits_daily' is there twice: ")


SUITE = """
table: silver/visit
description: visits
expectations:
  volume: {kind: volume}
  pages: {kind: null_share, column: pge, max: 0.1}
"""


def test_suites_are_held_against_the_tables(run: Run, project: Path) -> None:
    file = project / "use_cases" / "pages" / "expectations" / "visits.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(SUITE, encoding="utf-8")
    file.with_name("visits.yml").touch()
    place = "use_cases/pages/expectations"
    about, yml = problems(run)
    assert yml == f"{place}/visits.yml: it is no suite: a file that is one is called <suite>.yaml"
    assert about.startswith(f"{place}/visits.yaml:2: table: no table 'silver/visit'; known: ")
    file.with_name("visits.yml").unlink()
    edit(file, "silver/visit", "silver/visits")
    (said,) = problems(run)
    assert said.startswith(f"{place}/visits.yaml:6: expectations.pages: silver/visits has no column 'pge'")
    edit(file, "pge", "page")
    done = run("check")
    assert done.stdout == "mine: 2 contracts, 1 use cases, 1 suites of expectations: nothing wrong\n", done.stdout
    edit(file, "max: 0.1", "max: 1.1")
    assert problems(run) == [f"{place}/visits.yaml: expectations.pages.max = 1.1: Input should be less than 1"]


MAPPING = """
contract: app.visits.v1
id: [visit]
time: {column: at}
zone: UTC
columns: {user: user_id, page: pge, took: seconds}
"""


def test_mappings_are_held_against_the_contracts(run: Run, project: Path) -> None:
    file = project / "sources" / "history.yaml"
    file.write_text(MAPPING, encoding="utf-8")
    file.with_name("other.yml").touch()
    about, yml = problems(run)
    assert about.startswith("sources/history.yaml:2: contract = 'app.visits.v1': no contract has this topic")
    assert about.endswith("did you mean 'app.visit.v1'?")
    assert yml == "sources/other.yml: it is no mapping: a file that is one is called <source>.yaml"
    file.with_name("other.yml").unlink()
    edit(file, "app.visits.v1", "app.visit.v1")
    said = "\n".join(problems(run))
    assert "columns.page: app.visit.v1 has no property 'pge'; did you mean 'page'?" in said
    assert "nothing becomes 'platform', which app.visit.v1 requires" in said
    edit(file, "pge", "page")
    edit(file, "zone: UTC", "zone: UTCC")
    (zone,) = [line for line in problems(run) if "zone" in line]
    assert "'UTCC' is no time zone" in zone
