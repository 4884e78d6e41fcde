"""Cases that are not as expected are shown with the events that say why."""

from pathlib import Path

import pytest

from tests.unit.tidemill.projects.conftest import Run, edit

CASES = "tests/visits.yaml"
FEATURES = "use_cases/next_visits/features.py"


def failed(run: Run, project: Path) -> str:
    """What `tidemill test` prints when it fails; the pytest of the project is left out."""
    (project / "tests" / "test_visits.py").unlink(missing_ok=True)
    done = run("test")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_a_window_of_the_wrong_unit_is_shown_by_the_events_it_leaves_out(run: Run, project: Path) -> None:
    text = (project / FEATURES).read_text(encoding="utf-8")
    text = text.replace("windows=(days(7), days(14)", "windows=(minutes(7), days(14)").replace("_7d", "_7m")
    (project / FEATURES).write_text(text.replace("    days,\n", "    days,\n    minutes,\n"), encoding="utf-8")
    edit(project / CASES, "count_7d: 2\n", "count_7m: 2\n")
    edit(project / CASES, "seconds_sum_7d: 150", "seconds_sum_7m: 150")
    edit(project / CASES, "visits__count_7d: 0", "visits__count_7m: 0")
    said = failed(run, project)
    assert f"FAILED {CASES}:2: a user who came twice this week and once before" in said
    assert "visits__count_7m: expected 2.0, and is 0.0" in said
    assert '"page": "help"' in said
    assert "(the window of 7m begins at 2026-03-20T09:50:00Z, 23 h 50 min later)" in said


def test_what_is_wrong_with_a_case_is_said_with_its_line(run: Run, project: Path) -> None:
    more = """
- name: of nobody
  use_case: next_visits
  at: 2026-03-20T10:00:00Z
  features: {visits__count_7d: 0}
- name: another key
  use_case: next_visits
  entities: {user_id: u1}
- name: no feature of ours
  use_case: next_visits
  at: 2026-03-20T10:00:00Z
  entity: {user_id: u1}
  features: {visits__count_7: 0}
- name: another entity
  use_case: next_visits
  at: 2026-03-20T10:00:00Z
  entity: {user: u1}
  features: {visits__count_7d: 0}
- name: no event of ours
  use_case: next_visits
  events: {app.visit.v1: [{time: 2026-03-20T10:00:00Z, data: {user_id: u1, page: home, platform: tv, seconds: 1}}]}
  at: 2026-03-20T10:00:00Z
  entity: {user_id: u1}
  features: {visits__count_7d: 0}
- name: another label
  use_case: next_visits
  events: {app.visit.v1: [{time: 2026-03-19T10:00:00Z, data: {user_id: u1, page: home, platform: web, seconds: 1}}]}
  at: 2026-03-20T00:00:00Z
  entity: {user_id: u1}
  label: 1
- name: before all time
  use_case: next_visits
  events: {app.visit.v1: [{time: '0001-01-01T00:00:00+14:00', data: {user_id: u1}}]}
  at: 2026-03-20T10:00:00Z
  entity: {user_id: u1}
  features: {visits__count_7d: 0}
- name: no cutoff
  use_case: next_visits
  at: 2026-03-20T01:00:00Z
  entity: {user_id: u1}
  label: 0
- name: refused after all
  contract: app.visit.v1
  data: {user_id: u1, page: home, platform: web, seconds: -1}
- name: taken after all
  contract: app.visit.v1
  data: {user_id: u1, page: home, platform: web, seconds: 1}
  rejected: schema
"""
    (project / "tests" / "more.yaml").write_text(more.lstrip("\n"), encoding="utf-8")
    (project / "tests" / "broken.yaml").write_text("- name: [\n", encoding="utf-8")
    (project / "tests" / "map.yaml").write_text("name: a\n", encoding="utf-8")
    twice = "- name: two of one key\n  use_case: next_visits\n  features: {a: 1}\n  features: {a: 2}\n"
    (project / "tests" / "twice.yaml").write_text(twice, encoding="utf-8")
    (project / "tests" / "day.yaml").write_text("- name: a\n  at: 2026-02-30\n", encoding="utf-8")
    (project / "tests" / "latin.yaml").write_bytes(b"- name: caf\xe9\n")
    (project / "tests" / "other.yml").write_text(twice, encoding="utf-8")
    (project / "tests" / "folder.yaml").mkdir()
    said = failed(run, project)
    for part in (
        "tests/more.yaml:1: of nobody\n  at and entity are missing",
        "tests/more.yaml:5: another key\n  entities: a case has no such key; did you mean 'entity'?",
        "next_visits has no feature 'visits__count_7'; did you mean 'visits__count_7d'?",
        "next_visits needs the entity's user_id",
        "event 0 of app.visit.v1 breaks its contract: schema: /data/platform",
        "label: expected 1, and is 0.0",
        "before all time\n  a time or a number is beyond all bounds: ",
        "is no cutoff: labels are of the starts of days",
        "expected to be accepted, and is rejected as schema: /data/seconds",
        "expected to be rejected as schema, and is accepted",
        "tests/broken.yaml:2: \n  not valid YAML",
        "tests/map.yaml:1: \n  is no list of cases",
        "tests/twice.yaml:4: \n  not valid YAML: key 'features' is there twice",
        "tests/day.yaml:2: \n  not valid YAML: '2026-02-30' is no value: day is out of range for month",
        "tests/latin.yaml:0: \n  not valid YAML: ",
        "tests/other.yml:0: \n  its cases are not run: a file that has some is called <name>.yaml",
        "tests/folder.yaml:0: \n  cannot be read: Is a directory",
    ):
        assert part in said, said


def test_an_event_without_an_event_time_is_none_and_one_without_a_known_time_was_known_since(
    run: Run, project: Path
) -> None:
    times = '"seen_at": {"type": ["string", "null"], "format": "date-time"}'
    for file in ("contracts/app.visit.v1.json", "contracts/published/app.visit.v1.json"):
        edit(project / file, '"properties": {', f'"properties": {{{times}, {times.replace("seen", "told")}, ')
    edit(project / FEATURES, '"silver/visits"', '"silver/visits", event_time="seen_at", known_time="told_at"')
    (project / "tests" / "test_visits.py").unlink()
    data = "{user_id: u1, page: home, platform: web, seconds: 5"
    (project / CASES).write_text(
        f"""
- name: two of three have a time
  use_case: next_visits
  events:
    app.visit.v1:
      - {{time: 2026-03-01T10:00:00Z, data: {data}, seen_at: '2026-03-16T10:00:00Z'}}}}
      - {{time: 2026-03-17T10:00:00Z, data: {data}}}}}
      - {{time: 2026-03-18T10:00:00Z, data: {data}, seen_at: '2026-03-21T10:00:00Z', told_at: '2026-03-22T10:00:00Z'}}}}
  at: 2026-03-20T00:00:00Z
  entity: {{user_id: u1}}
  features: {{visits__count_7d: 1, visits__count_28d: 1, visits__time_since_last_all: 309600}}
  label: 1
""",
        encoding="utf-8",
    )
    done = run("test")
    assert "cases: 1, 0 failed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    windows=(days(7)", '    filters=(column("seconds") > 90000.0,),\n    windows=(days(7)', "never holds"),
        (
            "    windows=(days(7)",
            '    filters=(column("referrer").is_null(),),\n    windows=(days(7)',
            "column 'referrer' is never there in an event of app.visit.v1 that passes `referrer is null`",
        ),
    ],
)
def test_what_can_never_be_is_shown_by_the_smallest_event(
    old: str, new: str, message: str, run: Run, project: Path
) -> None:
    edit(project / FEATURES, old, new)
    if "referrer" in new:
        edit(project / FEATURES, "        count(),\n", '        count(), column("referrer").count_distinct(),\n')
    said = failed(run, project)
    assert "FAILED FeatureGroup visits" in said
    assert message in said, said
    (example,) = [line for line in said.splitlines() if line.startswith("    2026-01-01T00:00:00Z {")]
    assert ("referrer" in example) is False or "referrer" in new


@pytest.mark.parametrize(
    ("declared", "failure"),
    [
        ('"type": "string", "pattern": "^u[0-9]+$", "examples": ["u1", "u22"]', ""),
        ('"type": "string", "format": "uuid", "examples": []', ""),
        ('"type": "integer", "minimum": 4, "multipleOf": 3, "maximum": 6', ""),
        ('"type": "string", "pattern": "^u[0-9]+$", "examples": ["v1"]', "no event could be made from it"),
    ],
    ids=lambda value: value or "passes",
)
def test_keys_of_generated_events_are_such_as_the_contract_takes(
    declared: str, failure: str, run: Run, project: Path
) -> None:
    edit(project / "contracts" / "app.visit.v1.json", '"type": "string", "minLength": 1, "maxLength": 64', declared)
    for file in ("contracts/published/app.visit.v1.json", CASES, "tests/test_visits.py"):
        (project / file).unlink()
    done = run("test")
    assert failure in done.stdout, done.stdout + done.stderr
    assert done.returncode == bool(failure), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["test_visits.py", "visits_test.py"])
def test_a_failing_pytest_fails_the_run(name: str, run: Run, project: Path) -> None:
    (project / "tests" / "test_visits.py").rename(project / "tests" / name)
    edit(project / "tests" / name, "== 20.0", "== 21.0")
    done = run("test")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "pytest: failed" in done.stdout


def test_definitions_that_are_wrong_are_not_tried(run: Run, project: Path) -> None:
    edit(project / FEATURES, 'column("seconds").sum()', 'column("secnds").sum()')
    done = run("test")
    assert done.returncode == 1
    assert "app.visit.v1 has no 'secnds'" in done.stderr
    assert "cases:" not in done.stdout
