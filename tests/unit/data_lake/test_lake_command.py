"""``tidemill lake`` over a small lake that delta-rs wrote."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from data_lake import maintenance, tables
from data_lake.table import Table
from tidemill.commands.lake import command
from tidemill.config import Settings
from tidemill.config.errors import TidemillError


def run(*arguments: str) -> str:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False).stdout


def rows(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def refusal(*arguments: str) -> str:
    error = CliRunner().invoke(command, list(arguments)).exception
    assert isinstance(error, TidemillError)
    return str(error)


def test_tables_lists_those_that_exist_with_their_rows(lake: Settings) -> None:
    found = rows("tables")
    assert [(table["name"], table["version"], table["rows"]) for table in found] == [
        ("silver/transactions", 1, 3),
        ("quarantine/shop.click.v1", 0, 1),
    ]
    assert found[0]["path"] == f"{lake.lake_root}/silver/transactions"
    assert found[0]["bytes"] > 0
    assert "silver/transactions" in run("tables")


def test_tables_of_a_lake_that_was_never_written(settings: Settings) -> None:
    assert rows("tables") == []


def test_history_is_newest_first(lake: Settings) -> None:
    found = rows("history", "silver/transactions")
    assert [(commit["version"], commit["rows_added"]) for commit in found] == [(1, 1), (0, 2)]
    assert [commit["version"] for commit in rows("history", "silver/transactions", "--limit", "1")] == [1]


def test_sql_answers_in_json_and_csv(lake: Settings) -> None:
    query = "SELECT count(*) AS n, sum(unit_price) AS total FROM silver.transactions"
    assert rows("sql", query) == [{"n": 3, "total": "3.3000"}]
    assert list(csv.DictReader(io.StringIO(run("sql", "--csv", query)))) == [{"n": "3", "total": "3.3000"}]
    assert "3.3000" in run("sql", query)


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("event_id = 'b'", ["b"]),
        ("event_id IN ('a', 'c')", ["c"]),
        ("event_id > 'b'", ["c"]),
        ("unit_price = 1.1", ["b", "c"]),
    ],
    ids=["equal", "in", "greater", "decimal"],
)
def test_sql_filters_what_a_delete_by_delta_rs_left(lake: Settings, condition: str, ids: list[str]) -> None:
    DeltaTable(tables.silver("shop.transaction.v1").path(lake)).delete("event_id = 'a'")
    query = f"SELECT event_id FROM silver.transactions WHERE {condition} ORDER BY 1"  # noqa: S608
    assert [row["event_id"] for row in rows("sql", query)] == ids


def test_sql_keeps_apart_two_columns_of_one_name_and_numbers_that_json_has_not(lake: Settings) -> None:
    query = """SELECT 'nan'::DOUBLE AS x, '-inf'::DOUBLE AS x, [1.10::DECIMAL(9, 2), NULL] AS parts, true AS flag"""
    text = run("sql", query, "--json")
    assert json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON")) == [
        {"x": "NaN", "x_1": "-Infinity", "parts": ["1.10", None], "flag": True}
    ]
    assert list(csv.reader(io.StringIO(run("sql", query, "--csv")))) == [
        ["x", "x_1", "parts", "flag"],
        ["NaN", "-Infinity", '["1.10", null]', "true"],
    ]


def test_sql_joins_layers_and_reads_names_with_dots(lake: Settings) -> None:
    query = """SELECT q."offset", q.value, epoch_ms(q.ingested_at) AS at, count(*) AS n
               FROM quarantine."shop.click.v1" q CROSS JOIN silver.transactions GROUP BY ALL"""
    assert rows("sql", query) == [{"offset": 7, "value": '\\xff{"', "at": 1714607940000, "n": 3}]


def test_sql_opens_only_the_tables_it_names(lake: Settings) -> None:
    query = """SELECT count(*) AS n FROM "silver" . "transactions" WHERE event_id != 'clicks'"""
    assert rows("sql", query) == [{"n": 3}]


def test_sql_without_rows_is_an_empty_list(lake: Settings) -> None:
    assert rows("sql", "SELECT 1 AS one WHERE false") == []


def test_sql_reads_a_version_written_after_the_one_before(lake: Settings) -> None:
    assert rows("sql", "SELECT event_id FROM silver.transactions ORDER BY 1") == [
        {"event_id": one} for one in ("a", "b", "c")
    ]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELEC 1", ["syntax error"]),
        ("SELECT * FROM silver.nothing", ["silver.nothing", "Tables: ", "silver.transactions"]),
        ("SELECT nothing FROM silver.transactions", ["nothing"]),
        ("SELECT * FROM silver.clicks", ["silver/clicks does not exist", "start the stream"]),
    ],
    ids=["syntax", "table", "column", "never written"],
)
def test_sql_that_cannot_run_is_answered_with_the_reason(lake: Settings, query: str, words: list[str]) -> None:
    message = refusal("sql", query)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    "query",
    [
        "COPY silver.transactions TO '{file}'",
        "EXPORT DATABASE '{folder}'",
        "ATTACH '{file}' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "CREATE TABLE x AS SELECT 1",
        "INSERT INTO silver.transactions SELECT * FROM silver.transactions",
        "DELETE FROM silver.transactions",
        "DROP VIEW silver.transactions",
        "CALL pragma_version()",
    ],
)
def test_sql_writes_nothing_and_says_so(lake: Settings, tmp_path: Path, query: str) -> None:
    folder = tmp_path / "written"
    file = folder / "x"
    message = refusal("sql", query.format(file=file, folder=folder))
    assert re.fullmatch(r"the lake's tables are read, never written: [A-Z]+ is no query", message)
    assert not folder.exists()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM sniff_csv('{file}')",
        "SELECT * FROM parquet_metadata('{file}')",
        "SELECT * FROM silver.transactions, read_json('{file}')",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/written'",
    ],
)
def test_sql_reads_no_file_but_the_tables(lake: Settings, tmp_path: Path, query: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    for form in ([], ["--json"], ["--csv"]):
        message = refusal("sql", query.format(file=file, folder=tmp_path), *form)
        assert message.endswith("A query reads the lake's tables, and no other file")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["secret.csv"]


@pytest.mark.parametrize("query", ["SELECT * FROM '/etc/passwd'", "SELECT * FROM settings", "SELECT * FROM query"])
def test_sql_takes_neither_a_path_nor_a_variable_of_this_program_for_a_table(lake: Settings, query: str) -> None:
    assert "does not exist" in refusal("sql", query)


@pytest.mark.parametrize("query", ["SELECT 1; SELECT 2", "SELECT 1; DROP VIEW a", "", "/* nothing */"])
def test_sql_is_one_query(lake: Settings, query: str) -> None:
    assert refusal("sql", query).startswith("one query at a time: these are ")


@pytest.mark.parametrize(
    "query",
    [
        "FROM silver.transactions",
        "WITH a AS (SELECT * FROM silver.transactions) SELECT count(*) FROM a;",
        "SUMMARIZE silver.transactions",
        "DESCRIBE silver.transactions",
        "EXPLAIN SELECT * FROM silver.transactions",
        "PIVOT silver.transactions ON event_id USING count(*)",
        "SELECT json_extract('{}', '$.a')",
    ],
)
def test_sql_takes_every_kind_of_query(lake: Settings, query: str) -> None:
    assert run("sql", query)
    assert rows("sql", query)


def test_sql_in_a_pipe_cuts_no_cell(lake: Settings) -> None:
    assert "x" * 1_000 in run("sql", "SELECT repeat('x', 1000) AS a, repeat('y', 1000) AS b")


def test_sql_keeps_what_does_not_fit_into_memory_apart_from_the_callers_folder(
    lake: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    (found,) = rows("sql", "SELECT current_setting('temp_directory') AS folder")
    assert Path(found["folder"]).parent == tmp_path
    assert not Path(found["folder"]).exists()


def test_history_of_an_unknown_table_names_the_known_ones(lake: Settings) -> None:
    assert "known: bronze/" in refusal("history", "silver/nothing")


def test_maintain_merges_small_files_and_keeps_the_rows(lake: Settings) -> None:
    before = rows("sql", "SELECT * FROM silver.transactions ORDER BY event_id")
    (done,) = rows("maintain", "silver/transactions")
    assert (done["name"], done["files_merged"], done["files_written"]) == ("silver/transactions", 2, 1)
    assert rows("sql", "SELECT * FROM silver.transactions ORDER BY event_id") == before


def test_maintain_goes_on_behind_a_table_that_it_cannot_read_and_says_so_at_the_end(lake: Settings) -> None:
    folder = Path(tables.silver("shop.transaction.v1").path(lake)) / "_delta_log"
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
    features = {"readerFeatures": ["typeWidening"], "writerFeatures": ["typeWidening"]}
    (folder / f"{2:020}.json").write_text(json.dumps({"protocol": protocol | features}))
    answer = CliRunner().invoke(command, ["maintain", "--json"])
    assert [done["name"] for done in json.loads(answer.stdout)] == ["quarantine/shop.click.v1"]
    assert "DROP FEATURE typeWidening" in str(answer.exception)


@pytest.mark.parametrize("error", [CommitFailedError("another came first"), OSError("no room")], ids=["commit", "disk"])
def test_maintain_goes_on_behind_a_table_whose_upkeep_fails(
    lake: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    upkeep = maintenance.maintain

    def fail(table: Table, *rest: Any) -> Any:
        if table.name == "silver/transactions":
            raise error
        return upkeep(table, *rest)

    monkeypatch.setattr(maintenance, "maintain", fail)
    answer = CliRunner().invoke(command, ["maintain", "--json"])
    assert [done["name"] for done in json.loads(answer.stdout)] == ["quarantine/shop.click.v1"]
    assert isinstance(answer.exception, TidemillError)
    assert str(answer.exception) == f"silver/transactions: {error}"
