"""Fraud over REST: what a payment is answered is what the lake says of it, as of the microsecond it was answered.

Two entities and an input in one request; verdicts that come late, and verdicts whose time has not come. Redis and the
tables are real, the payments are simulated, and no JVM is needed: the tables are written by delta-rs.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from data_lake.delta_tables import create_table
from data_lake.tables import silver
from feature_store.columns.derived import service_features
from feature_store.columns.events import Column, Events, Ints, Queries
from feature_store.consistency.check import Consistency, measure
from feature_store.definitions import FeatureGroup
from feature_store.kernel import compute
from feature_store.tiles import Layout, apply
from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.events import TRANSACTIONS, VERDICTS, transactions, verdicts
from ingestion_layer.sources.card_simulator.ledger import Ledger
from ingestion_layer.sources.card_simulator.payments import Payments
from ingestion_layer.sources.card_simulator.scenarios import GENUINE
from ml_modeling.candidates.pipelines import build
from ml_modeling.registry import ModelIdentity, ServedModel, ServingSpec
from model_serving.answers import cold_answer
from model_serving.app import create_app
from model_serving.features import FeatureSource
from model_serving.loaded import LoadedModel
from model_serving.prediction_events import TOPIC, prediction_events
from model_serving.reasoners import ReasonGiver
from model_serving.scoring import Answer
from tests.cases.lake import append_rows
from tests.cases.states import EPOCH, put_states, redis_of
from tidemill.config import Settings
from use_cases.fraud.features import SERVICE

UNIX = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
SPEC = ServingSpec(
    use_case="fraud",
    feature_service="fraud",
    feature_fingerprint=SERVICE.fingerprint,
    features=SERVICE.names,
    threshold=0.5,
    decisions=("genuine", "fraud"),
    cold_start_score=0.01,
)
ASKED = 1_000
BATCH = 50
LATE_SHARE = 0.2
Instance = Mapping[str, Any]


@dataclass(frozen=True)
class Landed:
    """What silver holds at a moment: ``known`` are payments with a verdict, at the verdict's time."""

    paid: Payments
    known: Payments

    def rows(self, group: FeatureGroup) -> Payments:
        return self.known if group.source.table == "silver/card_verdicts" else self.paid

    def events(self, group: FeatureGroup) -> Events:
        """``entity`` is the number of the customer or terminal."""
        rows = self.rows(group)
        of_verdicts = {"is_fraud": rows.scenario != GENUINE}
        values = of_verdicts if rows is self.known else {"amount": rows.cents / 100}
        columns = {name: Column(one, np.ones(len(rows), dtype=np.bool_)) for name, one in values.items()}
        return Events(numbers(rows, group), rows.time, np.arange(len(rows)).astype(np.uint64), columns)


def numbers(rows: Payments, group: FeatureGroup) -> Ints:
    return rows.customer if group.entity.key == "customer_id" else rows.terminal


def name_of(group: FeatureGroup, number: int) -> str:
    return f"{'C' if group.entity.key == 'customer_id' else 'T'}{number:06d}"


class Platform:
    """A lake, the states of its events, and the model server in this process with a model by hand."""

    def __init__(self, settings: Settings) -> None:
        serving = settings.serving.model_copy(update={"use_cases": ["fraud"], "feature_timeout_s": 5.0})
        self.settings = settings.model_copy(update={"serving": serving})
        self.versions = {TRANSACTIONS: 0, VERDICTS: 0}
        self.answers: list[Answer] = []
        for topic in (TRANSACTIONS, VERDICTS, TOPIC):
            create_table(silver(topic), self.settings)
        self.app = create_app(self.settings)
        self.app.state.server.batcher.start()
        self.app.state.server.log.offer = self.answers.append
        x = np.random.default_rng(1).lognormal(3, 3, size=(60, len(SERVICE.names)))
        self.pipeline = build("logistic_regression", {"C": 0.1}, seed=1).fit(x, (x[:, 0] > 30).astype(int))
        self._x = x

    def land(self, cards: Cards, more: Landed, all_of_it: Landed) -> None:
        """A commit of each topic that something came for; then the states are those of ``all_of_it``."""
        for topic, rows, made in ((TRANSACTIONS, more.paid, transactions), (VERDICTS, more.known, verdicts)):
            if len(rows):
                append_rows(self.settings, silver(topic), map(silver_row, made(cards, rows)))
                self.versions[topic] += 1
        redis_of(self.settings).flushdb()
        now = time.time_ns() // 1000
        for group in SERVICE.groups:
            topic = VERDICTS if group.source.table == "silver/card_verdicts" else TRANSACTIONS
            events = passing(group, all_of_it.events(group))
            entities, places = np.unique(events.entity, return_inverse=True)
            placed = Events(places, events.time, events.tie, events.columns)
            version = self.versions[topic]
            states = apply(Layout.of(group), [None] * len(entities), placed, np.full(len(placed), version), now, EPOCH)
            ids = [name_of(group, number) for number in entities.tolist()]
            put_states(self.settings, group, ids, states, version, now, now)

    def serve(self) -> None:
        """The champion reads the features by the real reader, once there are states."""
        server = self.app.state.server
        holder = server.holders["fraud"]
        model = ServedModel(
            "fraud", "1", "champion", ModelIdentity(run_id="r", model_id="m"), SPEC, self.pipeline, self._x
        )
        source = FeatureSource(self.settings, holder.asked, SPEC, server.breaker)
        holder.champion = LoadedModel(model, source, cold_answer(model), ReasonGiver(model), datetime.now(UTC))

    def ask(self, path: str, bodies: Sequence[Any]) -> list[Any]:
        async def asked() -> list[httpx.Response]:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test") as client:
                return [await client.post(path, json=body) for body in bodies]

        responses = asyncio.run(asked())
        assert [response.status_code for response in responses] == [200] * len(bodies), responses[0].text
        return [response.json() for response in responses]

    def predict(self, instances: Sequence[Instance]) -> list[dict[str, Any]]:
        bodies = [{"instances": instances[first : first + BATCH]} for first in range(0, len(instances), BATCH)]
        return [one for answer in self.ask("/predict/fraud", bodies) for one in answer["predictions"]]

    def log(self) -> None:
        """What was answered, as the stream puts it in silver."""
        logged = [event for answer in self.answers for event in prediction_events(answer)]
        append_rows(self.settings, silver(TOPIC), map(silver_row, logged))

    def measured(self) -> Consistency:
        now = datetime.now(UTC)
        return measure(self.settings, SERVICE, now - timedelta(hours=1), now + timedelta(hours=1))


def passing(group: FeatureGroup, events: Events) -> Events:
    """The events that the group's filter lets through."""
    if group.name not in {"terminal_frauds", "terminal_genuine"}:
        return events
    chosen = events.columns["is_fraud"].values == (group.name == "terminal_frauds")
    columns = {name: Column(one.values[chosen], one.valid[chosen]) for name, one in events.columns.items()}
    return Events(events.entity[chosen], events.time[chosen], events.tie[chosen], columns)


def silver_row(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as a row of silver, by column."""
    at = datetime.fromisoformat(event["time"])
    known = {column.name for column in silver(event["type"]).columns}
    data = {name: value for name, value in event["data"].items() if name in known}
    if event["type"] == TRANSACTIONS:
        data["amount"] = Decimal(str(data["amount"]))
    for name in ("features_as_of", "features_at"):
        if data.get(name) is not None:
            data[name] = datetime.fromisoformat(data[name])
    for name in ("entities", "inputs", "applied", "features"):
        if name in data:
            data[name] = [*data[name].items()]
    envelope = {"event_id": event["id"], "event_time": at, "event_date": at.date(), "source": "test"}
    lineage = {"_generation": 1, "_digest": 0, "_partition": 0, "_offset": 0, "broker_time": at}
    return {**envelope, **data, **lineage, "ingested_at": datetime.now(UTC), "event_month": f"{at:%Y-%m}"}


def taken(rows: Payments, chosen: np.ndarray) -> Payments:
    return Payments(**{name: values[chosen] for name, values in vars(rows).items()})


@dataclass(frozen=True)
class Story:
    """Payments until now; ``first`` of their verdicts landed in time, ``late`` ones did not; some are yet to come."""

    cards: Cards
    paid: Payments
    first: Payments
    late: Payments


def story() -> Story:
    now = datetime.now(UTC)
    cards = Cards(
        customers=60, terminals=30, radius=40.0, start=(now - timedelta(days=45)).date(), end=now.date() + timedelta(2)
    )
    ledger, at = Ledger(cards), (now - UNIX) // timedelta(microseconds=1)
    days = range(cards.first_day, cards.last_day)
    paid = Payments.concat([ledger.payments(day) for day in days])
    known = Payments.concat([ledger.verdicts(day) for day in days[7:]])
    # Of one second at one terminal the order is the events' identity's: not what is tried here.
    pairs = np.unique(np.stack([known.terminal, known.time]), axis=1, return_index=True)[1]
    known = taken(known, np.sort(pairs))
    known = taken(known, known.time < at + DAY_US)
    is_late = (np.random.default_rng(5).random(len(known)) < LATE_SHARE) & (known.time < at)
    assert (known.time > at).sum() > 10
    return Story(cards, taken(paid, paid.time < at), taken(known, ~is_late), taken(known, is_late))


@pytest.fixture
def platform(settings: Settings, redis_server: object, tmp_path: Path) -> Iterator[Platform]:
    made = Platform(settings.model_copy(update={"home": tmp_path}))
    yield made
    made.app.state.server.batcher.stop()
    made.app.state.server.reasons.stop()
    redis_of(settings).flushdb()


def instances_of(paid: Payments) -> list[Instance]:
    return [
        {"customer_id": f"C{customer:06d}", "terminal_id": f"T{terminal:06d}", "amount": cents / 100}
        for customer, terminal, cents in zip(
            paid.customer.tolist(), paid.terminal.tolist(), paid.cents.tolist(), strict=True
        )
    ]


def offline(landed: Landed, paid: Payments, times: Ints) -> dict[str, np.ndarray]:
    """The features of each payment as of when it was asked about, by the engine that makes training frames."""
    values: dict[str, np.ndarray] = {"amount": paid.cents / 100}
    for group in SERVICE.groups:
        values |= compute(group, passing(group, landed.events(group)), Queries(numbers(paid, group), times))
    return dict(service_features(SERVICE, values, times))


def check(platform: Platform, landed: Landed, paid: Payments) -> None:
    """Ask about ``paid``, and hold every value and score against the offline frame's."""
    before = len(platform.answers)
    predictions = platform.predict(instances_of(paid))
    rows = [scored.row for answer in platform.answers[before:] for scored in answer.scored]
    assert all(row is not None for row in rows)
    times = np.array([row.time for row in rows if row is not None])
    expected = offline(landed, paid, times)
    served = np.array([row.values for row in rows if row is not None], dtype=np.float64)
    for place, name in enumerate(SERVICE.names):
        np.testing.assert_allclose(served[:, place], expected[name], rtol=1e-9, err_msg=name)
    frame = np.column_stack([expected[name] for name in SERVICE.names])
    scores = platform.pipeline.predict_proba(frame)[:, 1]
    assert [one["score"] for one in predictions] == pytest.approx(scores, rel=1e-6)
    assert {tuple(one["degraded"]) for one in predictions} == {()}


def test_what_a_payment_is_answered_is_what_the_lake_says_of_it(platform: Platform) -> None:
    told, payments = story(), ASKED
    nothing = taken(told.paid, np.zeros(len(told.paid), dtype=np.bool_))
    asked = taken(told.paid, np.sort(np.random.default_rng(3).choice(len(told.paid), payments, replace=False)))
    half = np.arange(payments) < payments // 2

    at_first = Landed(told.paid, told.first)
    platform.land(told.cards, at_first, at_first)
    platform.serve()
    check(platform, at_first, taken(asked, half))
    later = Landed(told.paid, Payments.concat([told.first, told.late]))
    platform.land(told.cards, Landed(nothing, told.late), later)
    check(platform, later, taken(asked, ~half))

    platform.log()
    found = platform.measured()
    assert (found.fetches, found.rate, found.behind) == (payments, 0, 0)
    assert {feature.feature: feature.matched for feature in found.features} == dict.fromkeys(SERVICE.names, payments)


def test_an_input_that_was_ignored_and_a_verdict_used_before_its_time_are_found(platform: Platform) -> None:
    told = story()
    landed = Landed(told.paid, told.first)
    platform.land(told.cards, landed, landed)
    platform.serve()
    platform.predict(instances_of(taken(told.paid, np.arange(len(told.paid)) >= len(told.paid) - 40)))
    (answer,) = platform.answers
    ignored = [scored.instance["amount"] for scored in answer.scored]
    assert len(set(ignored)) > 1

    def wrong(name: str, change: Any) -> Consistency:
        """The log with one feature changed in every answer."""
        logged = list(prediction_events(answer))
        for place, event in enumerate(logged):
            event["id"] = f"{event['id']}-{name}"
            event["data"]["features"][name] = change(place, event["data"]["features"][name])
        append_rows(platform.settings, silver(TOPIC), map(silver_row, logged))
        return platform.measured()

    by_amount = wrong("amount_now", lambda *_: ignored[0])
    found = {feature.feature: feature for feature in by_amount.features}
    assert found["amount_now"].mismatched == sum(amount != ignored[0] for amount in ignored)
    assert found["amount_now"].worst[0].keys() >= {"customer_id", "terminal_id"}
    early = wrong("terminal_verdicts__count_7d", lambda _, value: (value or 0.0) + 1.0)
    found = {feature.feature: feature for feature in early.features}
    assert found["terminal_verdicts__count_7d"].mismatched == len(answer.scored)


def test_reasons_are_of_the_features_that_were_served(platform: Platform) -> None:
    told = story()
    landed = Landed(told.paid, told.first)
    platform.land(told.cards, landed, landed)
    platform.serve()
    paid = taken(told.paid, np.arange(len(told.paid)) == len(told.paid) - 1)
    began = time.time_ns() // 1000
    (told_reasons,) = platform.ask("/explain/fraud", [{"instance": instances_of(paid)[0], "top": 100}])

    values = {reason["feature"]: reason["value"] for reason in told_reasons["reasons"]}
    expected = offline(landed, paid, np.array([began]))
    timeless = [name for name in SERVICE.names if not name.endswith("time_since_last_all")]
    for name in timeless:
        np.testing.assert_allclose(
            np.float64(np.nan if values[name] is None else values[name]), expected[name][0], err_msg=name
        )
    total = told_reasons["base"] + sum(reason["contribution"] for reason in told_reasons["reasons"])
    score = told_reasons["prediction"]["score"]
    assert total == pytest.approx(np.log(score / (1 - score)))
    assert told_reasons["space"] == "log_odds"
