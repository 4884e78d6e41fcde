"""The demo's closing table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidemill.tables import print_table, table

EXAMPLES = 3


def print_report(summary: Mapping[str, Any]) -> None:
    """Print the summary on stdout as one table."""
    print_table(table(("what", "figure"), _rows(summary), "What happened", has_head=False))


def _rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sent, lake = summary["sent"], summary["lake"]
    others = lake["messages"] - sent["messages"]
    yield "events produced", f"{sent['messages']:,}; in bronze {lake['messages']:,}{_others(others)}"
    yield "duplicates", f"{sent['duplicates']:,}; dropped in silver {lake['duplicates']:,}"
    yield "quarantined", _counts(lake["quarantined"])
    if sent["rejected_rows"]:
        yield "rejected at the source", _counts(sent["rejected_rows"])
    yield "rows", "\n".join(f"{rows:>10,}  {name}" for name, rows in summary["rows"].items() if rows)
    for name, found in summary["use_cases"].items():
        yield name, "\n".join(lines_of(found))
    fresh = summary["freshness_s"]
    yield "freshness", f"live, broker to lake: median {fresh['median']} s, p99 {fresh['p99']} s"
    yield "memory", f"{summary['memory_mb']:,} MB for the whole stack"
    yield "addresses", "\n".join(f"{name}: {address}" for name, address in summary["addresses"].items())
    yield "took", f"{sum(summary['seconds'].values()):.0f} s"


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """What this run trained of a use case, what its gates said, and what the champion answers, maybe another model."""
    metric, trained, champion = found["metric"], found["trained"], found["champion"]
    yield f"trained: MLflow run {trained['run_id']}, {metric} {_interval(trained['test'][metric])}"
    yield from _verdict(trained["gate"])
    yield f"champion: version {champion['version']}, MLflow run {champion['run_id']}"
    yield f"  {metric} {_interval(champion['test'][metric])}; baseline {_interval(champion['baseline'][metric])}"
    yield f"  ({champion['baseline_rule']})"
    for item in _examples(found["predictions"]):
        yield _prediction(item, found["keys"])
    yield f"answered in {found['latency_ms']} ms for {len(found['predictions'])} predictions"
    yield from _consistency(found["consistency"])


def _verdict(gate: Mapping[str, Any]) -> list[str]:
    if gate["passed"]:
        return ["gate passed: what was trained became the champion"]
    return ["gate said no, the champion stays", *(f"  {reason}" for reason in gate["reasons"])]


def _others(messages: int) -> str:
    return f", {messages:,} of them not sent by the demo" if messages > 0 else ""


def _consistency(found: Mapping[str, Any]) -> Iterator[str]:
    features, fetches = found["features"], found["fetches"]
    wrong = sum(one["mismatched"] + one["missing"] + one["extra"] for one in features)
    lag = f", by up to {found['lag_s']['max']} s" if found["lag_s"] else ""
    yield f"{wrong:,} of {fetches * len(features):,} feature values differ from the lake's"
    yield f"{found['behind']:,} of {fetches:,} fetches were behind the lake{lag}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _examples(predictions: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [*predictions[:-1][:EXAMPLES], predictions[-1]]


def _prediction(item: Mapping[str, Any], keys: Sequence[str]) -> str:
    marks = f" ({', '.join(item['degraded'])})" if item["degraded"] else ""
    return f"{', '.join(item[key] for key in keys)}: {_answer(item)}{marks}"


def _answer(item: Mapping[str, Any]) -> str:
    if "value" in item:
        return f"{item['value']:.2f}" + (" [{:.2f}, {:.2f}]".format(*item["interval"]) if item["interval"] else "")
    score = item["score"] if "score" in item else max(item["scores"].values())
    return f"{score:.3f} {item['decision'] or 'no decision'}"
