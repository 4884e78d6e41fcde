"""Declarations of gold tables: what is read, and each thing that can be wrong with one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_lake import own_tables, tables
from data_lake.gold import PLATFORMS, GoldTableError, gold_table, read_gold_table
from data_lake.table import CHANGE_FEED
from tidemill.config.errors import ConfigError
from tidemill.config.project import Project, current_project, read_project
from tidemill.contracts.columns import Column

GOOD: dict[str, Any] = {
    "description": "how long each page was looked at a day",
    "source": "shop.click.v1",
    "revision": 2,
    "keys": ["event_date", "page"],
    "columns": {"event_date": "DATE", "page": "STRING", "money": "DECIMAL(38,4)?", "parts": "ARRAY<STRING>"},
    "query": "SELECT * FROM events;\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "use_cases" / "pages" / "gold"
    place.mkdir(parents=True)
    (tmp_path / "tidemill.toml").write_text("[project]\nbuiltin = true\n", encoding="utf-8")
    return place


@pytest.fixture
def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """That of this process, with the platform's own definitions."""
    monkeypatch.setenv("TIDEMILL_PROJECT", str(folder.parents[2]))
    _forget()
    yield current_project()
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    current_project.cache_clear()
    tables._tables.cache_clear()


def declare(folder: Path, name: str = "pages_daily", **changed: Any) -> Path:
    """A file with ``GOOD`` and what is changed in it; None leaves a key out."""
    content = {key: value for key, value in (GOOD | changed).items() if value is not None}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


def test_a_declaration_is_a_table_with_the_partition_of_its_day(folder: Path) -> None:
    declared = read_gold_table(declare(folder, change_feed=True))
    assert (declared.name, declared.source, declared.revision) == ("pages_daily", "shop.click.v1", 2)
    assert declared.query == "SELECT * FROM events"
    table = tables.table_of(declared)
    assert (table.name, table.keys, table.partition_by) == (
        "gold/pages_daily",
        ("event_date", "page"),
        ("event_month",),
    )
    assert table.columns == (
        Column("event_date", "DATE", False),
        Column("page", "STRING", False),
        Column("money", "DECIMAL(38,4)", True),
        Column("parts", "ARRAY<STRING>", False),
        Column("event_month", "STRING", False),
    )
    assert table.properties == CHANGE_FEED
    assert tables.table_of(read_gold_table(declare(folder))).properties == {}


COLUMNS = GOOD["columns"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"source": None}, "source is missing"),
        ({"revison": 1}, "revison is no key of a gold table; did you mean 'revision'?"),
        ({"revision": 0}, "revision = 0: Input should be greater than or equal to 1"),
        ({"revision": "1"}, "revision = '1': Input should be a valid integer"),
        ({"description": ""}, "description = '': String should have at least 1 character"),
        ({"change_feed": "yes"}, "change_feed = 'yes': Input should be a valid boolean"),
        ({"keys": ["page"]}, "keys: event_date is missing: days are what is recomputed"),
        ({"keys": ["event_date", "event_date"]}, "a column stands there twice"),
        ({"keys": ["event_date", "pages"]}, "'pages' is none of the columns; did you mean 'page'?"),
        ({"keys": ["event_date", "money"]}, "money may be null, as its ? says: a key always has a value"),
        ({"columns": COLUMNS | {"event_date": "TIMESTAMP"}}, "event_date is TIMESTAMP, and is a DATE"),
        ({"columns": COLUMNS | {"event_month": "STRING"}}, "event_month is added by the platform: leave it out"),
        ({"columns": COLUMNS | {"Page": "STRING"}}, "'page' and 'Page' differ only in case: rename one"),
        ({"columns": COLUMNS | {"a b": "STRING"}}, "'a b' cannot name a column: use letters, digits and underscores"),
        ({"columns": COLUMNS | {"a": "TEXT"}}, "a: 'TEXT' is no type of a column: write BIGINT, BINARY, "),
        ({"columns": COLUMNS | {"a": "DECIMAL(39,4)"}}, "a: 'DECIMAL(39,4)' is no type of a column"),
        ({"columns": COLUMNS | {"a": "ARRAY<DECIMAL(4,5)>"}}, "a: 'ARRAY<DECIMAL(4,5)>' is no type of a column"),
        ({"columns": COLUMNS | {"a": "ARRAY<>"}}, "a: 'ARRAY<>' is no type of a column"),
        ({"columns": COLUMNS | {"a": "MAP<STRING>"}}, "a: 'MAP<STRING>' is no type of a column"),
        ({"columns": COLUMNS | {"a": "STRUCT<b>?"}}, "a: 'STRUCT<b>?' is no type of a column"),
        ({"columns": COLUMNS | {"a": None}}, "columns.a = None: Input should be a valid string"),
        ({"columns": {}}, "columns = {}: Dictionary should have at least 1 item"),
        ({"query": "SELECT 1"}, "query = 'SELECT 1': it does not read `events`, the rows of silver"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value[:24],
)
def test_what_is_wrong_is_said_with_the_file_and_the_key(changed: dict[str, Any], why: str, folder: Path) -> None:
    file = declare(folder, **changed)
    with pytest.raises(GoldTableError) as raised:
        read_gold_table(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a: [", "not valid YAML: "),
        (b"source: a\nsource: b\n", "key 'source' is there twice"),
        (b"- a\n", "(the whole file) = ['a']: Input should be a valid dictionary"),
        (b"", "(the whole file) = None"),
        (b"description: \xff\n", "not valid YAML: "),
    ],
    ids=["yaml", "twice", "list", "empty", "latin"],
)
def test_a_file_that_is_no_declaration_is_named(content: bytes, why: str, folder: Path) -> None:
    file = folder / "pages_daily.yaml"
    file.write_bytes(content)
    with pytest.raises(GoldTableError, match=r"pages_daily\.yaml: ") as raised:
        read_gold_table(file)
    assert why in str(raised.value)


@pytest.mark.parametrize("name", ["Pages", "pages-daily", "7pages", "_pages"])
def test_a_table_is_named_after_its_file(name: str, folder: Path) -> None:
    with pytest.raises(GoldTableError, match="the file's name is the table's: use lower-case letters"):
        read_gold_table(declare(folder, name))


def test_the_platforms_own_names_are_taken(folder: Path) -> None:
    assert {f"gold/{name}" for name in PLATFORMS} == {table.name for table in own_tables.OWN_GOLD}
    for name in PLATFORMS:
        with pytest.raises(GoldTableError, match=rf"{name}\.yaml: gold/{name} .* of data_lake/tables\.py: rename"):
            read_gold_table(declare(folder, name))


def test_a_name_that_is_there_twice_is_refused_with_both_files(folder: Path) -> None:
    second = folder.parents[1] / "more" / "gold"
    second.mkdir(parents=True)
    declare(folder), declare(second)
    files = rf"{second}/pages_daily\.yaml and {folder}/pages_daily\.yaml"
    root = folder.parents[2]
    with pytest.raises(ConfigError, match=f"gold table 'pages_daily' is there twice: {files}: rename one of them"):
        read_project(root).gold_files()
    (second / "pages_daily.yaml").unlink()
    declare(folder, "customer_daily")
    with pytest.raises(ConfigError, match=r"shop/gold/customer_daily\.yaml is the platform's own, and .*builtin"):
        read_project(root).gold_files()
    (root / "tidemill.toml").write_text("[project]\nbuiltin = false\n", encoding="utf-8")
    assert list(read_project(root).gold_files()) == ["customer_daily", "pages_daily"]


def test_a_file_that_cannot_be_used_leaves_out_its_table_alone(folder: Path, project: Project) -> None:
    declare(folder)
    declare(folder, "wrong", columns={"event_date": "DAY"})
    assert {"gold/customer_daily", "gold/pages_daily", "silver/clicks"} <= tables.tables().keys()
    assert "gold/wrong" not in tables.tables()
    with pytest.raises(GoldTableError, match=r"wrong\.yaml: columns: event_date: 'DAY' is no type of a column"):
        tables.table("gold/wrong")
    with pytest.raises(tables.UnknownTableError):
        tables.table("wrong")


def test_a_table_is_found_by_its_name_with_or_without_its_layer(folder: Path, project: Project) -> None:
    file = declare(folder)
    assert gold_table("pages_daily") == gold_table("gold/pages_daily") == read_gold_table(file)
    with pytest.raises(GoldTableError, match=r"no gold table 'pages': .* has its name; did you mean 'pages_daily'\?"):
        gold_table("pages")
    declare(folder, source="shop.clicks.v1")
    with pytest.raises(GoldTableError, match=r"pages_daily\.yaml: source = 'shop\.clicks\.v1': no contract .*did you"):
        gold_table("pages_daily")


def test_a_folder_with_gold_alone_is_no_use_case() -> None:
    platform = Project()
    assert list(platform.gold_files()) == ["customer_daily", "daily_product_sales", "sessions"]
    assert "shop" not in platform.use_cases()


def test_the_shops_tables_are_what_lakes_have_since_before_they_were_declared() -> None:
    sales, days = tables.table("gold/daily_product_sales"), tables.table("gold/customer_daily")
    assert sales.ddl == (
        "`event_date` DATE NOT NULL, `product_id` STRING NOT NULL, `currency` STRING NOT NULL, "
        "`orders` BIGINT NOT NULL, `customers` BIGINT NOT NULL, `units_sold` BIGINT NOT NULL, "
        "`units_returned` BIGINT NOT NULL, `gross_revenue` DECIMAL(38,4) NOT NULL, "
        "`returned_value` DECIMAL(38,4) NOT NULL, `net_revenue` DECIMAL(38,4) NOT NULL, `event_month` STRING NOT NULL"
    )
    assert days.ddl == (
        "`event_date` DATE NOT NULL, `customer_id` STRING NOT NULL, `currency` STRING NOT NULL, "
        "`order_ids` ARRAY<STRING> NOT NULL, `product_ids` ARRAY<STRING> NOT NULL, `units_bought` BIGINT NOT NULL, "
        "`units_returned` BIGINT NOT NULL, `gross_value` DECIMAL(38,4) NOT NULL, "
        "`returned_value` DECIMAL(38,4) NOT NULL, `net_value` DECIMAL(38,4) NOT NULL, `event_month` STRING NOT NULL"
    )
    assert (dict(sales.properties), dict(days.properties)) == ({}, {"delta.enableChangeDataFeed": "true"})
    assert [gold_table(name).revision for name in ("daily_product_sales", "customer_daily")] == [1, 1]
