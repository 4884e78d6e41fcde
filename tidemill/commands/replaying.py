"""``tidemill models replay``."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from tidemill.commands.times import TIME
from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TerminalError
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from ml_modeling.replay import Differences, Example, Proof, Replay


class ReplayDiffersError(TerminalError):
    """A model does not say of its own logged answers what the log says."""


@click.command()
@click.argument("use_case")
@click.option("--version", help="The version that answers again. [default: the champion]")
@click.option("--from", "begin", type=TIME, help="Requests from this time on, UTC. [default: a day before --to]")
@click.option("--to", "end", type=TIME, help="Requests before this time, UTC. [default: now]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def replay(use_case: str, version: str | None, begin: datetime | None, end: datetime | None, as_json: bool) -> None:
    """Let a version answer logged requests of USE_CASE again, from the features that the log holds of them.

    Its own answers must be the same to the last bit, else the exit status is 1; of those of others it shows what would
    change.
    """
    from ml_modeling.replay import replay as replay_log

    until = (end or datetime.now(UTC)).replace(tzinfo=UTC)
    since = begin.replace(tzinfo=UTC) if begin else until - timedelta(days=1)
    found = replay_log(load_settings(), use_case, version, since, until)
    if as_json:
        click.echo(strict_json.dumps(found.model_dump(mode="json")))
    else:
        _show(found)
    if found.proof is not None and not found.holds:
        raise ReplayDiffersError(
            f"version {found.version} of {use_case!r} says {found.proof.different:,} of its {found.proof.answers:,} "
            f"logged answers otherwise now; {found.proof.why}"
        )


def _show(found: "Replay") -> None:
    model = f"version {found.version} of {found.use_case}, model {found.model_id} of run {found.run_id}"
    click.echo(f"{model}: {found.answers:,} logged answers from {found.begin:%F %T} to {found.end:%F %T} UTC")
    click.echo(f"{found.unscored:,} were for a cold start, {found.lacking:,} from other features than it reads")
    if found.proof is not None:
        _show_proof(found.proof)
    if found.differences is not None:
        _show_differences(found.differences)


def _show_proof(proof: "Proof") -> None:
    same = proof.answers - proof.different
    click.echo(f"its own answers: {proof.answers:,}, of which {same:,} are the same to the last bit")
    if proof.examples:
        print_table(table(EXAMPLE, list(_rows(proof.examples))))


def _show_differences(differences: "Differences") -> None:
    click.echo(
        f"answers of others: {differences.answers:,}; mean difference {differences.mean:+.6f}, "
        f"mean size {differences.mean_absolute:.6f}, largest {differences.largest:.6f}"
    )
    changes = [
        (change, f"{count:,}", f"{count / differences.answers:.2%}") for change, count in differences.decisions.items()
    ]
    print_table(table(("decision", "answers", "of all"), changes or [("none changes", "", "")]))
    quantiles = [(at, f"{value:+.6f}") for at, value in differences.quantiles.items()]
    print_table(table(("quantile", "difference"), quantiles))
    behind = [
        (one.feature, f"{one.share:.1%}", f"{one.low:+.6f} in {one.low_range}", f"{one.high:+.6f} in {one.high_range}")
        for one in differences.behind
    ]
    if behind:
        print_table(table(("feature behind it", "share", "lowest mean", "highest mean"), behind))
    print_table(table(EXAMPLE, list(_rows(differences.examples))))


EXAMPLE = ("request", "entity", "logged", "decision", "now", "decision now")


def _rows(examples: "tuple[Example, ...]") -> Iterator[tuple[str, ...]]:
    for one in examples:
        before, now = (", ".join(map(repr, answer)) for answer in (one.logged, one.replayed))
        yield one.request_id, one.entity_id, before, one.logged_decision, now, one.replayed_decision
