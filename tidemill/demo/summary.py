"""What the demo found, as one document: counted from the lake, and held against what was sent."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.config import strict_json
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings
from tidemill.demo.plan import Plan
from tidemill.demo.steps import COMPARING

if TYPE_CHECKING:
    from tidemill.stack.status import ServiceStatus

LIVE_TABLES = ("silver.transactions", "silver.clicks", "silver.predictions")
OWN = "serving."
"""How the topics begin that the platform itself sends to."""


class TruthError(TerminalError):
    """The lake does not hold what was sent."""


def summarize(plan: Plan, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of a run; events are counted over all runs in this home."""
    from data_lake.delta_rs import existing_tables, statistics
    from tidemill.stack.status import status

    settings = plan.settings
    stack = status(settings)
    tables = [statistics(table, delta, settings) for table, delta in existing_tables(settings)]
    return {
        "source": plan.source,
        "home": str(settings.home),
        "sent": _sent(plan),
        "lake": _lake(facts["reconciled"]["topics"]),
        "rows": {table.name: table.rows for table in tables},
        "use_cases": {name: of_use_case(settings, name, facts) for name in plan.use_cases},
        "freshness_s": _freshness(settings, facts["live"]["began"]),
        "addresses": addresses(stack.services),
        "memory_mb": round(stack.memory_bytes / 2**20),
        "seconds": {name: step["seconds"] for name, step in facts.items()},
    }


def addresses(services: Iterable["ServiceStatus"]) -> dict[str, str]:
    """Where to look, by title: of all that was started."""
    return {service.title: service.address for service in services if service.address and service.state != "stopped"}


def of_use_case(settings: Settings, name: str, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What was trained, what answers, and whether its features were those of the lake."""
    from ml_modeling.use_case import load_use_case

    answer = facts["predictions"]["answers"][name]
    return {
        "metric": load_use_case(name).spec.gates.baseline.metric,
        "trained": trained(settings, name, facts[f"retrain_{name}"]["progress"]),
        "champion": champion(settings, answer["model"]),
        "predictions": answer["predictions"],
        "keys": answer["keys"],
        "latency_ms": answer["latency_ms"],
        "consistency": facts["consistency"]["returned"][f"{COMPARING}{name}"],
    }


def champion(settings: Settings, answered: Mapping[str, str]) -> dict[str, Any]:
    """The model that the answers came from, by what the server says it is, and how its own run tested it."""
    from ml_modeling.lifecycle import evaluation_of

    report = evaluation_of(settings, answered["name"], answered["run_id"]).model_dump()
    return {
        **{name: answered[name] for name in ("name", "version", "run_id", "model_id")},
        "test": report["metrics"],
        "baseline": report["baseline"],
        "baseline_rule": report["baseline_rule"],
    }


def trained(settings: Settings, use_case: str, progress: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The model that the demo's own request led to, and what its gates said, by what its stages noted.

    Raises:
        TruthError: it did not come to its gates.
    """
    from ml_modeling.lifecycle import evaluation_of

    if "gated" not in progress:
        raise TruthError(f"the request for {use_case} was not gated: see `tidemill retrain list {use_case}`")
    verdict = progress["gated"]
    report = evaluation_of(settings, use_case, verdict["run_id"]).model_dump()
    return {"run_id": verdict["run_id"], "test": report["metrics"], "gate": verdict}


def write_summary(settings: Settings, summary: Mapping[str, Any]) -> Path:
    """Writes ``summary.json`` into the home folder."""
    path = settings.home / "summary.json"
    path.write_text(strict_json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return path


def check_truth(summary: Mapping[str, Any]) -> None:
    """Hold messages, duplicates and quarantined events against what was sent.

    They must be as many; where more messages are in the lake than the demo sent, somebody else sends to its topics too,
    and there must not be fewer.

    Raises:
        TruthError: with each count that differs.
    """
    sent, lake = _counts(summary["sent"]), _counts(summary["lake"])
    has_others = lake["messages"] > sent["messages"]
    wrong = [
        f"{name}: sent {sent[name]:,}, in the lake {lake[name]:,}"
        for name in sorted(sent | lake)
        if lake[name] < sent[name] or (lake[name] > sent[name] and not has_others)
    ]
    if wrong:
        raise TruthError(f"the lake does not hold what was sent: {'; '.join(wrong)}; see `tidemill reconcile`")


def _counts(side: Mapping[str, Any]) -> Counter[str]:
    quarantined = {f"quarantined as {reason}": count for reason, count in side["quarantined"].items()}
    return Counter({"messages": side["messages"], "duplicates": side["duplicates"], **quarantined})


def _sent(plan: Plan) -> dict[str, Any]:
    """Added up over every run of the demo in this home."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((plan.folder / "produced").glob("*.json"))]
    quarantined: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for run in runs:
        quarantined.update(run.get("quarantined", {}))
        rejected.update(run.get("rejected", {}))
    return {
        "messages": sum(run["produced"] for run in runs),
        "duplicates": sum(run.get("duplicates", 0) for run in runs),
        "quarantined": dict(sorted(quarantined.items())),
        "rejected_rows": dict(sorted(rejected.items())),
    }


def _lake(topics: Mapping[str, Any]) -> dict[str, Any]:
    """The topics that were sent to; the predictions, the model server's own, are counted apart."""
    theirs = {name: topic for name, topic in topics.items() if not name.startswith(OWN)}
    quarantined: Counter[str] = Counter()
    for topic in theirs.values():
        quarantined.update(topic["quarantine_by_reason"])
    return {
        "messages": sum(topic["bronze_rows"] for topic in theirs.values()),
        "duplicates": sum(topic["duplicate_rows"] for topic in theirs.values()),
        "quarantined": dict(sorted(quarantined.items())),
        "predictions": sum(topic["silver_rows"] for name, topic in topics.items() if name.startswith(OWN)),
    }


def _freshness(settings: Settings, since: float) -> dict[str, float]:
    """Seconds from the broker's acceptance to bronze, of the live events and predictions (``since``: Unix seconds)."""
    from data_lake.sql import connect

    waits = " union all ".join(
        f"select epoch(ingested_at) - epoch(broker_time) as s from {table} where broker_time >= to_timestamp($since)"  # noqa: S608
        for table in LIVE_TABLES
    )
    sql = f"select median(s), quantile_cont(s, 0.99) from ({waits})"  # noqa: S608 - declared names
    with connect(settings, sql) as lake:
        median, p99 = lake.execute(sql, {"since": since}).fetchall()[0]
    return {"median": round(median, 2), "p99": round(p99, 2)}
