"""Whom the loop asks about, and what it counts of the answers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ingestion_layer.sources.card_simulator.history import CardSource
from tidemill.config import load_settings
from tidemill.demo.loop.asking import Asker
from tidemill.demo.loop.payments import asked_about
from tidemill.demo.loop.plan import LoopPlan, make_plan

ANSWER = {
    "predictions": [
        {"version": "1", "arm": "champion", "degraded": []},
        {"version": "2", "arm": "challenger", "degraded": ["stale_features"]},
    ]
}


@pytest.fixture
def plan(tmp_path: Path) -> LoopPlan:
    made = make_plan(load_settings({"TIDEMILL_HOME": str(tmp_path)}), date(2026, 11, 27))
    return replace(made, day_s=2.0, asked_per_s=20.0)


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """Answers the first request, and refuses all later ones."""

    class Handler(BaseHTTPRequestHandler):
        asked = 0

        def do_POST(self) -> None:
            Handler.asked += 1
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(ANSWER if Handler.asked == 1 else {"detail": "no champion"}).encode()
            self.send_response(200 if Handler.asked == 1 else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


def sent(plan: LoopPlan, position: int) -> list[tuple[Any, ...]]:
    """What the simulator sends of the day, in its order."""
    source = CardSource(plan.settings, plan.cards)
    payments = source.ledger.payments(plan.cards.first_day + position)
    return [
        (f"C{customer:06d}", f"T{terminal:06d}", cents / 100)
        for customer, terminal, cents in zip(payments.customer, payments.terminal, payments.cents, strict=True)
    ]


def test_those_asked_about_are_payments_of_the_day_in_their_order(plan: LoopPlan) -> None:
    ledger = CardSource(plan.settings, plan.cards).ledger
    instances = [tuple(instance.values()) for instance in asked_about(plan, ledger, 70)]
    rest = iter(sent(plan, 70))
    assert len(instances) == 40
    assert all(instance in rest for instance in instances)  # each is found after the one before


def test_after_the_last_day_nobody_is_asked_about(plan: LoopPlan) -> None:
    days = plan.cards.last_day - plan.cards.first_day
    assert asked_about(plan, CardSource(plan.settings, plan.cards).ledger, days) == []


def test_answers_are_counted_by_version_and_arm_and_all_else_as_failed(server: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}"
    with Asker(url, "card_fraud") as asker:
        asker.ask([{"customer_id": "C1"}])
        asker.ask([{"customer_id": "C1"}])
        asked = asker.asked()
    assert (asked.requests, asked.failed) == (2, 1)
    assert asked.predictions == {"version 1, champion": 1, "version 2, challenger": 1}
    assert asked.degraded == {"stale_features": 1}
    assert asked.failures == ['503: {"detail": "no champion"}']


def test_a_server_that_is_away_is_a_failed_request() -> None:
    with Asker("http://127.0.0.1:9", "card_fraud") as asker:
        asker.ask([{"customer_id": "C1"}])
        asked = asker.asked()
    assert (asked.requests, asked.failed) == (1, 1)
    assert asked.failures[0].startswith("ConnectError")
