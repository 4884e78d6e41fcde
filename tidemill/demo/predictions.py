"""Asks the model server for predictions as a client would, once it serves the promoted champion."""

import time
from collections.abc import Mapping
from typing import Any

import httpx

from config.errors import TerminalError
from config.settings import Settings
from tidemill.demo.plan import Plan
from tidemill.demo.runner import Say

USE_CASE = "churn"
STRANGER = "nobody-we-know"
KNOWN_CUSTOMERS = 5
READY_S = 60.0


class PredictionError(TerminalError):
    """The model server gave no answer, or one that the demo did not expect."""


def ask_for_predictions(plan: Plan, say: Say) -> Mapping[str, Any]:
    """Predictions for a few customers of the newest snapshot and for one nobody knows."""
    from data_lake.sql import connect

    settings = plan.settings
    newest = "(select max(snapshot_date) from gold.customer_snapshot)"
    sql = (
        f"select customer_id from gold.customer_snapshot where snapshot_date = {newest} "  # noqa: S608 - no input in it
        f"order by recency_days, customer_id limit {KNOWN_CUSTOMERS}"
    )
    with connect(settings, sql) as lake:
        customers = [str(customer) for (customer,) in lake.execute(sql).fetchall()]
    if not customers:
        raise PredictionError("gold/customer_snapshot has no customers: look at the DAG lakehouse_gold")
    with httpx.Client(base_url=settings.serving.url, timeout=10, trust_env=False) as http:
        _wait_for_champion(http, settings, say)
        body = {"instances": [{"customer_id": customer} for customer in [*customers, STRANGER]]}
        started = time.perf_counter()
        response = http.post(f"/predict/{USE_CASE}", json=body)
        latency_ms = (time.perf_counter() - started) * 1000
    if response.status_code != httpx.codes.OK:
        raise PredictionError(f"POST /predict/{USE_CASE} answered {response.status_code}: {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    _check(answer, customers)
    return answer | {"latency_ms": round(latency_ms, 2)}


def _wait_for_champion(http: httpx.Client, settings: Settings, say: Say) -> None:
    """Wait until the server answers with the registry's champion."""
    from ml_modeling.registry import champion_version

    wanted = champion_version(settings, USE_CASE)
    if wanted is None:
        raise PredictionError(f"no champion of {USE_CASE}: the gate kept every model out, see the DAG train_churn")
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        response = http.get(f"/model-info/{USE_CASE}")
        if response.is_success and str(response.json()["version"]) == wanted:
            return
        say(f"waiting for the model server to load version {wanted}")
        time.sleep(0.5)
    raise PredictionError(
        f"the model server did not load version {wanted} in {READY_S:.0f} s: `tidemill logs model-server`"
    )


def _check(answer: Mapping[str, Any], customers: list[str]) -> None:
    by_id = {prediction["customer_id"]: prediction for prediction in answer["predictions"]}
    degraded = {customer: by_id[customer]["degraded"] for customer in customers if by_id[customer]["degraded"]}
    if degraded:
        raise PredictionError(f"predictions for known customers are degraded: {degraded}; see /readyz")
    if not by_id[STRANGER]["degraded"]:
        raise PredictionError("a customer nobody knows got an answer that is not marked as a cold start")
