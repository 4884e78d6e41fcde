"""Whatever stands in a declaration in YAML, it is read or said to be wrong."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import yaml

from tests.unit.tidemill.projects.test_broken_files import changed
from tidemill.config.project import Project
from tidemill.config.settings import REPO
from tidemill.contracts import contracts
from tidemill.projects.checking.expectations import expectation_problems
from tidemill.projects.checking.flink import flink_problems
from tidemill.projects.checking.gold import gold_problems
from tidemill.projects.checking.mappings import source_mapping_problems
from tidemill.projects.testing import Definitions
from tidemill.projects.testing.cases import read_cases, run

Judge = Callable[[Project, Path], Iterable[object]]
CASES = """
- name: one return
  use_case: churn
  events:
    shop.transaction.v1:
      - time: 2026-03-19T10:00:00Z
        data: {order_id: o1, line: 1, kind: return, product_id: p1, quantity: 1, unit_price: 2, currency: GBP,
               country: UK, customer_id: c1}
  at: 2026-03-20T00:00:00Z
  entity: {customer_id: c1}
  features: {returns__count_90d: 1}
  label: null
- name: no click
  contract: shop.click.v1
  data: {user_id: u1}
  rejected: schema
"""


def _cases(_: Project, file: Path) -> Iterable[object]:
    placed, failures = read_cases(file)
    return [*failures, *(failure for case in placed for failure in run(case, Definitions()))]


DECLARED: dict[str, Judge] = {
    "use_cases/shop/gold/sessions.yaml": lambda mine, _: gold_problems(mine, contracts(), has_all=True),
    "use_cases/shop/expectations/transactions.yaml": lambda mine, _: expectation_problems(mine, has_all=True),
    "use_cases/shop/flink/sessions.yaml": lambda mine, _: flink_problems(mine, contracts()),
    "sources/partner_inventory.yaml": lambda mine, _: source_mapping_problems(mine, has_all=True),
    "tests/cases.yaml": _cases,
}


def _declared(name: str) -> str:
    if name.startswith("tests/"):
        return CASES
    return (REPO / name.replace("sources/", "ingestion_layer/sources/mappings/")).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DECLARED)
def test_any_value_in_a_declaration_is_read_or_said_to_be_wrong(name: str, tmp_path: Path) -> None:
    mine, file = Project(tmp_path, "mine", builtin=False), tmp_path / name
    file.parent.mkdir(parents=True)
    right = yaml.safe_load(_declared(name))
    for content in (right, *changed(right)):
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        problems = list(DECLARED[name](mine, file))
        if content is right:
            assert not problems
        if isinstance(content, int | str):
            assert problems, content
