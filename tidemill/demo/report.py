"""The demo's closing table."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

PLAIN_WIDTH = 110
EXAMPLES = 3


def print_report(summary: Mapping[str, Any]) -> None:
    """Print the summary on stdout as one table."""
    console = Console()
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    table = Table(title="What happened", show_header=False, title_justify="left")
    for name, value in _rows(summary):
        table.add_row(name, value)
    console.print(table)


def _rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    sent, lake, model = summary["sent"], summary["lake"], summary["model"]
    others = lake["messages"] - sent["messages"]
    yield "events produced", f"{sent['messages']:,}; in bronze {lake['messages']:,}{_others(others)}"
    yield "duplicates", f"{sent['duplicates']:,}; dropped in silver {lake['duplicates']:,}"
    yield "quarantined", _counts(lake["quarantined"])
    if sent["rejected_rows"]:
        yield "rejected at the source", _counts(sent["rejected_rows"])
    yield "rows", "\n".join(f"{rows:>10,}  {name}" for name, rows in summary["rows"].items())
    metric, rule = model["test"]["roc_auc"], model["baseline"]["roc_auc"]
    yield "test ROC AUC", f"{_interval(metric)}; baseline {_interval(rule)} ({model['baseline_rule']})"
    yield "model", f"churn version {model['version']}, MLflow run {model['run_id']}"
    yield "predictions", "\n".join(_prediction(item) for item in _examples(summary["predictions"]))
    yield "answered in", f"{summary['prediction_latency_ms']} ms for {len(summary['predictions'])} customers"
    fresh = summary["freshness_s"]
    yield "freshness", f"live, broker to lake: median {fresh['median']} s, p99 {fresh['p99']} s"
    yield "features", _consistency(summary["consistency"])
    yield "memory", f"{summary['memory_mb']:,} MB for the whole stack"
    yield "addresses", "\n".join(f"{name}: {address}" for name, address in summary["addresses"].items())
    yield "took", f"{sum(summary['seconds'].values()):.0f} s"


def _others(messages: int) -> str:
    return f", {messages:,} of them not sent by the demo" if messages > 0 else ""


def _consistency(found: Mapping[str, Any]) -> str:
    features, fetches = found["features"], found["fetches"]
    wrong = sum(one["mismatched"] + one["missing"] + one["extra"] for one in features)
    lag = f", by up to {found['lag_s']['max']} s" if found["lag_s"] else ""
    return (
        f"{wrong:,} of {fetches * len(features):,} values differ from the lake's\n"
        f"{found['behind']:,} of {fetches:,} fetches were behind the lake{lag}"
    )


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _examples(predictions: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [*predictions[:EXAMPLES], predictions[-1]]


def _prediction(item: Mapping[str, Any]) -> str:
    marks = f" ({', '.join(item['degraded'])})" if item["degraded"] else ""
    return f"{item['customer_id']}: {item['score']:.3f} {item['decision'] or 'no decision'}{marks}"
