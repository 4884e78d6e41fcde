"""Suites of expectations: what is read, and each thing that can be wrong with one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_lake import tables
from data_lake.expectations import Severity, SuiteError, Volume, read_suite, suites_of, tables_with_suites
from data_lake.expectations.suite import checked_suite
from tidemill.config.errors import ConfigError
from tidemill.config.project import current_project

GOOD: dict[str, Any] = {
    "table": "silver/transactions",
    "description": "what is sold",
    "expectations": {
        "volume": {"kind": "volume", "min": 0.5},
        "guests": {"kind": "null_share", "column": "customer_id", "max": 0.5, "severity": "warning"},
    },
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a project has its suites; the project is that of this process."""
    place = tmp_path / "use_cases" / "till" / "expectations"
    place.mkdir(parents=True)
    (tmp_path / "tidemill.toml").write_text("[project]\nbuiltin = true\n", encoding="utf-8")
    monkeypatch.setenv("TIDEMILL_PROJECT", str(tmp_path))
    _forget()
    yield place
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    current_project.cache_clear()
    tables._tables.cache_clear()


def declare(folder: Path, content: Any, name: str = "sales") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return file


def expecting(**expectation: Any) -> dict[str, Any]:
    return {**GOOD, "expectations": {"it": expectation}}


def test_a_suite_is_called_like_its_folder_and_file_and_has_its_expectations_by_name(folder: Path) -> None:
    suite = read_suite(declare(folder, GOOD))
    assert (suite.name, suite.table) == ("till.sales", "silver/transactions")
    assert suite.expectations["volume"] == Volume(kind="volume", min=0.5, max=2.0, weeks=4)
    assert [kind.severity for kind in suite.expectations.values()] == [Severity.CRITICAL, Severity.WARNING]
    assert [kind.bounds for kind in suite.expectations.values()] == [(0.5, 2.0), (None, 0.5)]


def test_a_project_adds_its_suites_to_those_of_the_platform(folder: Path) -> None:
    declare(folder, GOOD)
    assert [suite.name for suite in suites_of("silver/transactions")] == ["shop.transactions", "till.sales"]
    assert "silver/transactions" in tables_with_suites()


def test_another_text_is_another_suite(folder: Path) -> None:
    before = read_suite(declare(folder, GOOD)).digest
    assert read_suite(declare(folder, GOOD)).digest == before
    assert read_suite(declare(folder, GOOD | {"description": "other"})).digest != before


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("a: [", "sales.yaml: not valid YAML: while parsing"),
        ("table: a\ntable: b\n", "key 'table' is there twice"),
        ("- a", "(the whole file) = ['a']"),
        (GOOD | {"table": None}, "table = None: Input should be a valid string"),
        (GOOD | {"expectation": {}}, "expectation is no key of a suite; did you mean 'expectations'?"),
        (GOOD | {"expectations": {}}, "expectations = {}: Dictionary should have at least 1 item"),
        (GOOD | {"expectations": {"It": GOOD["expectations"]["volume"]}}, "expectations.It: a name has lower-case"),
        (expecting(column="a"), "expectations.it.kind is missing: it is one of distribution, freshness"),
        (expecting(kind="volumes"), "expectations.it.kind = 'volumes' is no kind of an expectation; did you mean 'vol"),
        (expecting(kind="volume", least=1), "expectations.it.least is no key of the kind volume"),
        (expecting(kind="volume", min=3, max=2), "expectations.it: min = 3 is above max = 2"),
        (expecting(kind="volume", min="0.5"), "expectations.it.min = '0.5': Input should be a valid number"),
        (expecting(kind="volume", weeks=1), "it.weeks = 1: of fewer than 2 weeks before nobody can say what is usual"),
        (expecting(kind="distribution", of="a", weeks=1), "it.weeks = 1: of fewer than 2 weeks before nobody can"),
        (expecting(kind="volume", weeks=53), "expectations.it.weeks = 53: Input should be less than or equal to 52"),
        (expecting(kind="volume", severity="fatal"), "expectations.it.severity = 'fatal': Input should be 'critical'"),
        (expecting(kind="null_share", column="a"), "expectations.it.max is missing"),
        (expecting(kind="null_share", column="a", max=1), "expectations.it.max = 1: Input should be less than 1"),
        (expecting(kind="null_share", column="a", max=float("nan")), "expectations.it.max = nan"),
        (expecting(kind="freshness", within_h=0), "expectations.it.within_h = 0: Input should be greater than 0"),
        (expecting(kind="unique", columns=[]), "expectations.it.columns = []"),
        (expecting(kind="unique", columns=["a", "a"]), "expectations.it: columns: a column stands there twice"),
        (expecting(kind="unique", columns=["a"], days=400), "expectations.it.days = 400"),
        (expecting(kind="distribution", of="a", quantiles=[1.5]), "expectations.it.quantiles.0 = 1.5"),
        (
            expecting(kind="distribution", of="a", factor=1),
            "expectations.it.factor = 1: Input should be greater than 1",
        ),
        (expecting(kind="measure", sql="count(*)"), "expectations.it: min or max is missing"),
        (expecting(kind="known", column="a"), "expectations.it.table is missing"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence_with_its_key(folder: Path, content: Any, says: str) -> None:
    file = declare(folder, content)
    with pytest.raises(SuiteError) as raised:
        read_suite(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (GOOD | {"table": "silver/sales"}, "table: no table 'silver/sales'"),
        (GOOD | {"table": "gold/drift"}, "table = 'gold/drift': it has no event_date"),
        (
            GOOD | {"table": "gold/daily_product_sales"},
            "nobody can tell which dates changed: declare it with `change_fe",
        ),
        (expecting(kind="null_share", column="customer", max=0.5), "no column 'customer'; did you mean 'customer_id'?"),
        (expecting(kind="unique", columns=["order"]), "expectations.it: silver/transactions has no column 'order'"),
        (
            expecting(kind="known", column="product_id", table="silver/klicks"),
            "expectations.it.table: no table 'silver/klicks'",
        ),
        (
            expecting(kind="known", column="order_id", table="silver/clicks"),
            "expectations.it.column: silver/clicks has no column 'order_id'",
        ),
        (
            expecting(kind="known", column="order_id", table="silver/clicks", **{"as": "orders"}),
            "expectations.it.as: silver/clicks has no column 'orders'",
        ),
    ],
)
def test_what_the_tables_say_against_a_suite_has_its_key(folder: Path, content: Any, says: str) -> None:
    with pytest.raises(SuiteError) as raised:
        checked_suite(declare(folder, content))
    assert says in str(raised.value)


def test_a_file_about_another_table_holds_up_none_and_one_about_none_holds_up_each(folder: Path) -> None:
    declare(folder, {"table": "silver/clicks"}, "wrong")
    assert [suite.name for suite in suites_of("silver/transactions")] == ["shop.transactions"]
    declare(folder, "a: [", "wrong")
    with pytest.raises(SuiteError, match=r"wrong\.yaml: not valid YAML"):
        suites_of("silver/transactions")


def test_two_suites_of_one_name_are_refused(folder: Path) -> None:
    shop = folder.parents[1] / "shop" / "expectations"
    shop.mkdir(parents=True)
    declare(shop, GOOD, "transactions")
    with pytest.raises(ConfigError, match=r"suite 'shop\.transactions' is there twice"):
        current_project().suite_files()
