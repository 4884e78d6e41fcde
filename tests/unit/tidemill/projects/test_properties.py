"""Generated events: valid ones, of every kind that a contract may ask for; and what they find."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from feature_store import catalog
from feature_store.definitions import (
    LIFETIME,
    Absence,
    Entity,
    FeatureGroup,
    Function,
    Product,
    Source,
    column,
    count,
    days,
    hours,
    minutes,
    time_since_last,
)
from tidemill.contracts import contract, contracts
from tidemill.projects.checking.questions import question_groups
from tidemill.projects.testing import answers, properties
from tidemill.projects.testing.generation import Generator
from tidemill.projects.testing.properties import findings

TRANSACTIONS = "shop.transaction.v1"
EVERY = FeatureGroup(
    name="every",
    entity=Entity("customer", "customer_id"),
    source=Source("silver/transactions", computed=(Product("amount", "quantity", "unit_price"),)),
    filters=(column("kind") == "purchase",),
    windows=(minutes(30), hours(12), days(12), LIFETIME),
    aggregations=(
        count(),
        time_since_last(),
        column("amount").sum(),
        column("amount").mean(),
        column("unit_price").std(),
        column("quantity").min(),
        column("quantity").max(),
        column("quantity").first(),
        column("quantity").last(),
        column("quantity").last_k(2),
        column("unit_price").quantiles(0.5),
        column("product_id").count_distinct(),
        column("country").count(),
        column("country").count_categories("UK"),
    ),
)


@pytest.mark.parametrize("topic", sorted(contracts()))
def test_events_are_made_from_any_contract(topic: str) -> None:
    generator = Generator(contract(topic), Random(1))
    made = [generator.data() for _ in range(50)]
    assert all(data is not None and generator.is_valid(data) for data in made)
    assert len({json.dumps(data) for data in made}) > 10


@pytest.mark.parametrize("seed", range(3))
def test_all_who_compute_the_platforms_own_groups_agree(seed: int) -> None:
    for group in catalog.groups().values():
        assert findings(group, seed) == []


def test_all_who_compute_every_function_agree() -> None:
    assert {of.function for of in EVERY.features} == set(Function)
    assert findings(EVERY, 7) == []


def test_an_engine_that_is_wrong_is_shown_by_the_smallest_example(monkeypatch: pytest.MonkeyPatch) -> None:
    right = answers.compute

    def wrong(group: FeatureGroup, events: Any, queries: Any) -> Any:
        """Counts no more than one event."""
        found = right(group, events, queries)
        return found | {"every__count_all": np.minimum(found["every__count_all"], 1.0)}

    monkeypatch.setattr(answers, "compute", wrong)
    (finding,) = findings(EVERY, 7)
    assert finding.message.startswith("every__count_all: backfill says 1.0, the judge says 2, of customer_id ")
    assert len(finding.example) == 2


def test_no_event_that_could_be_made_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(properties, "DATA", 0)
    (finding,) = findings(EVERY, 1)
    assert "no event could be made from it" in finding.message


@pytest.mark.parametrize("name", ["churn", "fraud", "next_spend"])
def test_what_questions_look_for_is_tried_as_groups_are(name: str) -> None:
    groups = question_groups(catalog.question(name))
    assert len(groups) == (2 if name == "fraud" else 1)
    assert [finding for group in groups for finding in findings(group, 3)] == []


def test_a_question_whose_filter_never_holds_is_called_by_its_use_case() -> None:
    never = Absence(EVERY.entity, EVERY.source, days(1), days(1), (column("line") < 1,))
    (group,) = question_groups(never)
    (finding,) = findings(group, 1, "LABEL of churn")
    assert finding.subject == "LABEL of churn"
    assert finding.message.startswith("filter `line < 1` never holds for an event of shop.transaction.v1")


def test_filters_that_exclude_each_other_are_named(tmp_path: Path) -> None:
    both = (column("quantity") > 5, column("quantity") < 3)
    group = FeatureGroup("both", EVERY.entity, EVERY.source, (count(windows=(days(1),)),), filters=both)
    (finding,) = findings(group, 1)
    assert "passes all of its filters together: `quantity > 5` and `quantity < 3`" in finding.message
