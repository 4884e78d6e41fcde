"""Declarations of jobs: those there are, and what a file may not say."""

from pathlib import Path

import pytest

from stream_processing.flink.configuration import job_configuration
from stream_processing.flink.job import JobError, job, jobs, read_job
from stream_processing.flink.statements import program
from tidemill.config import load_settings
from tidemill.contracts import contracts

SETTINGS = load_settings({})
WHOLE = """\
description: clicks
reads: {clicks: shop.click.v1}
writes: shop.session.v1
waits_s: [1, 60]
query: SELECT * FROM clicks;
"""


def declared(folder: Path, text: str, name: str = "own.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("name", jobs())
def test_each_job_of_the_platform_can_be_used(name: str) -> None:
    declared = job(name)
    assert len(program(SETTINGS, declared).passes) == len(declared.waits_s)


def test_a_file_is_a_job(tmp_path: Path) -> None:
    own = read_job(declared(tmp_path, WHOLE), contracts())
    assert (own.name, own.waits_s, own.query) == ("own", (1, 60), "SELECT * FROM clicks")
    assert (own.reads["clicks"].topic, own.writes.topic) == ("shop.click.v1", "shop.session.v1")
    assert (own.state, own.remembers_s) == ("disk", 86_400)


@pytest.mark.parametrize(
    ("said", "backend", "remembered"),
    [("", "rocksdb", "86400000 ms"), ("state: memory\nremembers_s: 0.5\n", "hashmap", "500 ms")],
)
def test_flink_is_told_where_a_job_holds_its_state_and_for_how_long(
    tmp_path: Path, said: str, backend: str, remembered: str
) -> None:
    own = program(SETTINGS, read_job(declared(tmp_path, WHOLE + said), contracts())).as_json()
    told = job_configuration(SETTINGS, own, "a1", None)
    assert (told["state.backend.type"], told["table.exec.state.ttl"]) == (backend, remembered)
    of_before = {name: value for name, value in own.items() if name not in {"state", "remembers_s"}}
    assert job_configuration(SETTINGS, of_before, "a1", None)["state.backend.type"] == "rocksdb"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("description: clicks\n", "", r"own\.yaml: description is missing"),
        ("writes: shop.session.v1", "writes: shop.sesion.v1", "no contract has this topic; did you mean 'shop.session"),
        ("{clicks: shop.click.v1}", "{clicks: shop.clik.v1}", r"reads\.clicks = 'shop\.clik\.v1': no contract"),
        ("{clicks: shop.click.v1}", "{}", "reads = {}: .*at least 1 item"),
        ("{clicks:", "{Clicks-now:", "'Clicks-now' cannot name a table"),
        ("[1, 60]", "[60, 1]", r"\[60.0, 1.0\] do not ascend"),
        ("[1, 60]", "[]", "at least 1 item"),
        ("[1, 60]", "[0]", "greater than or equal to 0.001"),
        ("[1, 60]", "[soon]", "valid number"),
        ("query:", "state: ram\nquery:", "state = 'ram': .*'disk' or 'memory'"),
        ("query:", "remembers_s: 0\nquery:", "remembers_s = 0: .*greater than or equal to 0.001"),
        ("query:", "sql: x\nquery:", r"sql is no key of a job; .*query"),
        ("query: SELECT * FROM clicks;", "query: [", "not valid YAML"),
        ("description: clicks\n", "description: a\ndescription: b\n", "key 'description' is there twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in WHOLE
    with pytest.raises(JobError, match=message):
        read_job(declared(tmp_path, WHOLE.replace(old, new)), contracts())


def test_the_files_name_is_the_jobs(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="use lower-case letters"):
        read_job(declared(tmp_path, WHOLE, "My Job.yaml"), contracts())


def test_an_unknown_job_is_told_with_the_known() -> None:
    with pytest.raises(JobError, match=r"no job 'sesions'.*did you mean 'sessions'"):
        job("sesions")


def test_results_whose_key_is_no_text_are_refused(tmp_path: Path) -> None:
    own = read_job(declared(tmp_path, WHOLE.replace("shop.session.v1", "shop.customer.v1")), contracts())
    assert program(SETTINGS, own).passes
    number = own.writes.schema | {"x-key": ["clicks"], "properties": {"clicks": {"type": "integer"}}}
    keyed = own.writes.__class__("t", "t", ("clicks",), number)
    with pytest.raises(JobError, match="its key clicks is no text"):
        program(SETTINGS, own.__class__(**{**own.__dict__, "writes": keyed}))
