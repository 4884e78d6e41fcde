"""``tidemill reconcile``."""

import json
import sys
from typing import TYPE_CHECKING

import click

from tidemill.config import load_settings

if TYPE_CHECKING:
    from data_lake.reconciliation import Report


@click.command(name="reconcile")
@click.option("--topic", "topics", multiple=True, help="Only this topic; may be given more than once.")
@click.option(
    "--wait", "wait_s", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait for the stream."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(topics: tuple[str, ...], wait_s: float, as_json: bool) -> None:
    """Check that the broker and the lake hold the same events; exit with 1 and name the rows when they do not.

    While events arrive, a message that the stream has not taken in yet counts as missing: --wait until it has.
    """
    from data_lake.reconciliation import reconcile, wait_until_it_holds
    from tidemill.contracts.registry import topics_called

    settings = load_settings()
    names = topics_called(topics)
    if wait_s:
        report = wait_until_it_holds(settings, names, wait_s, lambda line: click.echo(line, err=True))
    else:
        report = reconcile(settings, names)
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else _text(report))
    sys.exit(0 if report.holds else 1)


def _text(report: "Report") -> str:
    lines = []
    for name, topic in report.topics.items():
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in topic.quarantine_by_reason.items())
        lines += [
            f"{name}: {'holds' if topic.holds else 'DOES NOT HOLD'}",
            f"  bronze {topic.bronze_rows:,} = valid {topic.valid_rows:,} + quarantine {topic.quarantine_rows:,}"
            + (f" ({reasons})" if reasons else ""),
            f"  valid {topic.valid_rows:,} = silver {topic.silver_rows:,} + duplicates {topic.duplicate_rows:,}",
            *(
                f"  generation {generation} has ended: {rows:,} of the rows in bronze, which the broker no longer has"
                for generation, rows in topic.ended_generations.items()
            ),
            *(f"  {loss}" for loss in topic.accepted_loss),
            *(f"  {waiting}" for waiting in topic.waiting),
            *(f"  - {finding}" for finding in topic.findings),
        ]
    return "\n".join(lines)
