"""Asks the model server for predictions as a client would, once it serves the promoted champion."""

import itertools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx

from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings
from tidemill.demo.plan import Plan
from tidemill.demo.process import end_commands
from tidemill.demo.runner import Say

if TYPE_CHECKING:
    from model_serving.asked import Asked

STRANGER = "nobody-we-know"
KNOWN = 5
MANY = 500
A_REQUEST = 50
FEWEST_PREDICTIONS = 500
PAUSE_S = 0.2
READY_S = 180.0
"""For the first model that a server loads it has libraries to load, too."""


class PredictionError(TerminalError):
    """The model server gave no answer, or one that the demo did not expect."""


def ask_for_predictions(plan: Plan, say: Say) -> Mapping[str, Any]:
    """Of each use case, predictions for those of whom something came last, and for one nobody knows."""
    with httpx.Client(base_url=plan.settings.serving.url, timeout=10, trust_env=False) as http:
        return {"answers": {name: _answers(plan, name, http, say) for name in plan.use_cases}}


def _answers(plan: Plan, use_case: str, http: httpx.Client, say: Say) -> Mapping[str, Any]:
    from model_serving.asked import asked_of

    asked = asked_of(use_case)
    instances = newest_instances(plan.settings, asked, KNOWN)
    stranger = instances[0] | dict.fromkeys(asked.keys, STRANGER)
    wait_for_champion(http, plan.settings, use_case, say)
    started = time.perf_counter()
    answer = _ask(http, use_case, [*instances, stranger])
    latency_ms = (time.perf_counter() - started) * 1000
    _check(answer["predictions"])
    return answer | {"keys": asked.keys, "latency_ms": round(latency_ms, 2)}


def ask_meanwhile(plan: Plan, live: Callable[[Say], Mapping[str, Any]] | None, say: Say) -> Mapping[str, Any]:
    """Ask for predictions again and again while ``live`` sends events, so that some ask about what has just come.

    ``began`` of the facts is when, in Unix seconds.
    """
    batches = itertools.cycle(_batches(plan))
    began, asked = time.time(), dict.fromkeys(plan.use_cases, 0)
    http = httpx.Client(base_url=plan.settings.serving.url, timeout=10, trust_env=False)
    with ThreadPoolExecutor(1) as pool, http:
        sending = pool.submit(live, say) if live else None
        try:
            for use_case, batch in batches:
                asked[use_case] += len(_ask(http, use_case, batch)["predictions"])
                if min(asked.values()) >= FEWEST_PREDICTIONS and (sending is None or sending.done()):
                    break
                time.sleep(PAUSE_S)
        except BaseException:
            end_commands()  # the pool waits for what is being sent
            raise
        sent = sending.result() if sending else {}
    return {"began": began, "asked": asked, **sent}


def _batches(plan: Plan) -> list[tuple[str, list[dict[str, Any]]]]:
    """What is asked in one request of which use case: they take turns."""
    from model_serving.asked import asked_of

    of_each = []
    for name in plan.use_cases:
        instances = newest_instances(plan.settings, asked_of(name), MANY)
        of_each.append([(name, instances[first : first + A_REQUEST]) for first in range(0, len(instances), A_REQUEST)])
    longest = max(map(len, of_each))
    return [batches[turn % len(batches)] for turn in range(longest) for batches in of_each]


def newest_instances(settings: Settings, asked: "Asked", number: int) -> list[dict[str, Any]]:
    """What a use case may be asked: keys and inputs of the newest events that have them all."""
    from data_lake.sql import connect

    names = [*asked.keys, *asked.inputs]
    source = _source(asked)
    columns = ", ".join(names)
    there = " and ".join(f"{name} is not null" for name in names)
    sql = (
        f"select {columns} from {source} where {there} "  # noqa: S608 - declared names
        f"group by {columns} order by max(event_time) desc, {columns} limit ?"
    )
    with connect(settings, sql) as lake:
        rows = lake.execute(sql, [number]).fetchall()
    if not rows:
        raise PredictionError(f"{source} has no events that a request of {asked.use_case} could be about")
    return [
        {name: float(value) if name in asked.inputs else str(value) for name, value in zip(names, row, strict=True)}
        for row in rows
    ]


def _source(asked: "Asked") -> str:
    """The first table its features are made of that has every key and input."""
    from data_lake.tables import table
    from feature_store.catalog import service

    names = {*asked.keys, *asked.inputs}
    for group in service(asked.use_case).groups:
        if names <= {column.name for column in table(group.source.table).columns}:
            return group.source.table.replace("/", ".")
    raise PredictionError(
        f"no table of {asked.use_case} has all of {', '.join(sorted(names))}: nobody can be asked about"
    )


def _ask(http: httpx.Client, use_case: str, instances: list[dict[str, Any]]) -> dict[str, Any]:
    response = http.post(f"/predict/{use_case}", json={"instances": instances})
    if response.status_code != httpx.codes.OK:
        raise PredictionError(f"POST /predict/{use_case} answered {response.status_code}: {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer


def wait_for_champion(http: httpx.Client, settings: Settings, use_case: str, say: Say) -> None:
    """Wait until the server answers with the registry's champion.

    Raises:
        PredictionError: there is no champion, or it is not served in time.
    """
    from ml_modeling.registry.aliases import CHAMPION
    from ml_modeling.registry.versions import behind_alias

    wanted = behind_alias(settings, use_case, CHAMPION)
    if wanted is None:
        raise PredictionError(
            f"no champion of {use_case}: the gate kept every model out, see `tidemill retrain list {use_case}`"
        )
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        response = http.get(f"/model-info/{use_case}")
        if response.is_success and response.json()["model_id"] == wanted.model_id:
            return
        say(f"waiting for the model server to load version {wanted.version}")
        time.sleep(0.5)
    raise PredictionError(
        f"the model server did not load version {wanted.version} in {READY_S:.0f} s: `tidemill logs model-server`"
    )


def _check(predictions: list[Mapping[str, Any]]) -> None:
    *known, stranger = predictions
    degraded = [prediction for prediction in known if prediction["degraded"]]
    if degraded:
        raise PredictionError(f"predictions for those who are known are degraded: {degraded}; see /readyz")
    if not stranger["degraded"]:
        raise PredictionError("one whom nobody knows got an answer that is not marked as a cold start")
