"""``tidemill models``: train, evaluate, gate, register, promote, roll back, list, show, audit."""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from tidemill.commands.history import history
from tidemill.commands.outcomes import outcomes, performance
from tidemill.commands.replaying import replay
from tidemill.commands.rollout import approve, place_of
from tidemill.commands.scoring import score
from tidemill.commands.standing import standing
from tidemill.commands.times import DAY
from tidemill.config import load_settings, strict_json
from tidemill.config.user import user_name
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from ml_modeling.frames.frame import SplitFrame
    from ml_modeling.registry.audit import AuditRecord
    from ml_modeling.registry.versions import Version
    from ml_modeling.training.tuning import Trial
    from monitoring.rollout.by_hand import Changed

HEADLINE = ("roc_auc", "brier", "macro_f1", "log_loss", "mae", "r2")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
run_option = click.option("--run", "run_id", required=True, metavar="RUN_ID", help="The training run.")
reason_option = click.option("--reason", required=True, help="Why; kept in the audit trail.")
by_option = click.option("--by", "who", default=user_name, help="Who does it; the user of this process if not set.")


@click.group(name="models")
def command() -> None:
    """Train, list, promote and roll back models."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("ml_modeling").setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its retries end in an error of ours


for subcommand in (approve, history, outcomes, performance, replay, score, standing):
    command.add_command(subcommand)


@command.command()
@click.argument("use_case")
@click.option("--trials", type=click.IntRange(min=1), help="Trials of the search, over all candidates.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=1), help="Seconds the search may take.")
@as_json_option
def train(use_case: str, trials: int | None, timeout_s: float | None, as_json: bool) -> None:
    """Search, fit and log a model of USE_CASE; the budget is that of its model.yaml unless given."""
    from ml_modeling.lifecycle import train as train_model
    from ml_modeling.use_case import load_use_case
    from monitoring.looks.reference import keep_reference

    settings = load_settings()
    definition = load_use_case(use_case).with_budget(trials, timeout_s)

    def read() -> "SplitFrame":
        from ml_modeling.frames.frame import read_in_session

        return read_in_session(settings, definition)

    run, model = train_model(settings, definition, read, _show_trial)
    keep_reference(run, definition, model)
    validation = dict(model.validation)
    result = {
        "run_id": run.run_id,
        "experiment_id": run.experiment_id,
        "candidate": model.chosen.candidate,
        "validation": validation,
        "rows": {"fitted": len(model.fitted), "test": len(model.test)},
    }
    _print(result, as_json, f"run {run.run_id}: {model.chosen.candidate}, validation {_metrics(validation)}")


def _show_trial(number: int, wanted: int, trial: "Trial", best: "Trial") -> None:
    click.echo(
        f"trial {number}/{wanted} {trial.candidate} {trial.score:.4f} in {trial.seconds:.1f} s, "
        f"best {best.candidate} {best.score:.4f}",
        err=True,
    )


@command.command()
@click.argument("use_case")
@run_option
@as_json_option
def evaluate(use_case: str, run_id: str, as_json: bool) -> None:
    """Test the run's model: intervals, baseline, calibration, explanation, model card."""
    from ml_modeling.lifecycle import evaluate_run
    from ml_modeling.use_case import load_use_case

    report = evaluate_run(load_settings(), load_use_case(use_case), run_id)
    lines = [
        f"{name} {value}; baseline {report.baseline.get(name, 'has none')}" for name, value in report.metrics.items()
    ]
    _print({"run_id": run_id, **report.model_dump()}, as_json, "\n".join(lines))


@command.command()
@click.argument("use_case")
@run_option
@as_json_option
def gate(use_case: str, run_id: str, as_json: bool) -> None:
    """Judge an evaluated run against the floors, the baseline and the champion; exit 0 either way."""
    from ml_modeling.lifecycle import gate_run
    from ml_modeling.use_case import load_use_case

    verdict = gate_run(load_settings(), load_use_case(use_case), run_id)
    document = {"run_id": run_id, "passed": verdict.passed, "reasons": verdict.reasons, **verdict.model_dump()}
    lines = [f"{'passed' if check.passed else 'FAILED'}  {check.gate}: {check.detail}" for check in verdict.checks]
    _print(document, as_json, "\n".join(lines))


@command.command()
@click.argument("use_case")
@run_option
@click.option(
    "--force", "why", metavar="REASON", help="Past its gates: your decision, which the version tells as such."
)
@by_option
@as_json_option
def register(use_case: str, run_id: str, why: str | None, who: str, as_json: bool) -> None:
    """Register a run that passed its gates, as challenger; again for the same run is a no-op."""
    from ml_modeling.registry.versions import register as register_run

    version = register_run(load_settings(), use_case, run_id, f"{who}: {why}" if why else "")
    _print(version.model_dump(mode="json"), as_json, f"{use_case} version {version.version} {_aliases(version)}")


@command.command()
@click.argument("use_case")
@click.argument("version")
@reason_option
@by_option
@as_json_option
def promote(use_case: str, version: str, reason: str, who: str, as_json: bool) -> None:
    """Make VERSION the champion of USE_CASE at once; a rollout that runs is ended."""
    from monitoring.rollout.by_hand import promote_by_hand

    with place_of(use_case, who) as place:
        _print_changed(promote_by_hand(place, version, reason), use_case, as_json)


@command.command()
@click.argument("use_case")
@reason_option
@by_option
@as_json_option
def rollback(use_case: str, reason: str, who: str, as_json: bool) -> None:
    """Make the champion before today's the champion again; a rollout that runs is ended."""
    from monitoring.rollout.by_hand import rollback_by_hand

    with place_of(use_case, who) as place:
        _print_changed(rollback_by_hand(place, reason), use_case, as_json)


@command.command()
@click.argument("use_case")
@reason_option
@by_option
@as_json_option
def retire(use_case: str, reason: str, who: str, as_json: bool) -> None:
    """Take the alias champion away: the next version is judged without one. A rollout that runs is ended."""
    from monitoring.rollout.by_hand import retire_by_hand

    with place_of(use_case, who) as place:
        _print_changed(retire_by_hand(place, reason), use_case, as_json)


@command.command(name="list")
@click.argument("use_case", required=False)
@as_json_option
def list_models(use_case: str | None, as_json: bool) -> None:
    """List the registered versions, newest first."""
    from ml_modeling.registry.versions import list_versions

    versions = list_versions(load_settings(), use_case)
    rows = [
        (v.name, v.version, ", ".join(v.aliases), f"{v.created_at:%F %H:%M}", _metrics(v.metrics, HEADLINE), v.run_id)
        for v in versions
    ]
    _print_rows(versions, as_json, ("model", "version", "aliases", "registered", "test", "run"), rows)


@command.command()
@click.argument("use_case")
@click.argument("version", required=False)
@as_json_option
def show(use_case: str, version: str | None, as_json: bool) -> None:
    """Show a version of USE_CASE with its run's parameters; the champion when no VERSION is given."""
    from ml_modeling.registry import NoModelError, champion_version
    from ml_modeling.registry.versions import get_version
    from ml_modeling.tracking.runs import existing_run

    settings = load_settings()
    wanted = version or champion_version(settings, use_case)
    if wanted is None:
        raise NoModelError(f"model {use_case!r} has no champion: `tidemill models list` shows what there is")
    found = get_version(settings, use_case, wanted)
    params = existing_run(settings, use_case, found.run_id).read().data.params if found.passed_gates else {}
    document = {**found.model_dump(mode="json"), "params": dict(sorted(params.items()))}
    lines = [f"{use_case} version {found.version} {_aliases(found)}, {found.identity}", _metrics(found.metrics)]
    if not found.passed_gates:
        lines.append("put into the registry by hand: `tidemill models register` did not make it")
    _print(document, as_json, "\n".join([*lines, *(f"{key} = {value}" for key, value in sorted(params.items()))]))


@command.command()
@click.argument("use_case")
@click.option("--repair", is_flag=True, help="First settle what a crash or a change by hand left behind.")
@as_json_option
def audit(use_case: str, repair: bool, as_json: bool) -> None:
    """Print every change of the champion, oldest first."""
    from ml_modeling.registry.audit import trail
    from ml_modeling.registry.promotion import repair as repair_trail

    settings = load_settings()
    records = repair_trail(settings, use_case) if repair else trail(settings, use_case)
    rows = [(f"{r.at:%Y-%m-%d %H:%M:%S}", r.state, r.action, _change(r), r.who, r.reason, r.note) for r in records]
    _print_rows(records, as_json, ("at (UTC)", "state", "action", "champion", "who", "reason", "note"), rows)


@command.command()
@click.argument("request_id")
@click.option("--day", type=DAY, help="Of the request, UTC: only its month is read.")
@as_json_option
def which(request_id: str, day: datetime | None, as_json: bool) -> None:
    """Show which version and arm answered REQUEST_ID, from the log in the lake."""
    from model_serving.which import answered_by

    rows = answered_by(load_settings(), request_id, day.date() if day else None)
    if as_json:
        click.echo(strict_json.dumps([asdict(row) | {"at": row.at.isoformat()} for row in rows]))
        return
    head = ("at (UTC)", "use case", "entity", "arm", "version", "model", "epoch", "decision")
    cells = [
        (
            f"{row.at:%Y-%m-%d %H:%M:%S}",
            row.use_case,
            row.entity_id,
            f"{row.arm} in place of the challenger" if row.challenger_failed else row.arm,
            row.model_version,
            f"{row.model_id} of run {row.model_run_id}",
            "" if row.epoch is None else str(row.epoch),
            row.decision,
        )
        for row in rows
    ]
    print_table(table(head, cells))


def _print(document: Any, as_json: bool, text: str) -> None:
    click.echo(strict_json.dumps(document) if as_json else text)


def _print_changed(changed: "Changed", use_case: str, as_json: bool) -> None:
    record, over = changed.record, changed.ended
    ended = {"ended_rollout": None if over is None else over.end.epoch}
    lines = [] if record is None else [f"{use_case}: champion {_change(record)} ({record.action})"]
    if changed.trouble:
        click.echo(
            f"a rollout that runs is not ended yet, `tidemill rollout stop` does it: {changed.trouble}", err=True
        )
    if over is not None:
        lines.append(f"{use_case}: the rollout of version {over.rollout.challenger.version} is ended")
    _print(ended if record is None else record.model_dump(mode="json") | ended, as_json, "\n".join(lines))


def _change(record: "AuditRecord") -> str:
    return f"{record.from_version or 'none'} -> {record.to_version or 'none'}"


def _print_rows(records: Sequence[Any], as_json: bool, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if as_json:
        click.echo(strict_json.dumps([record.model_dump(mode="json") for record in records]))
        return
    print_table(table(head, rows))


def _metrics(metrics: Mapping[str, float], names: Sequence[str] | None = None) -> str:
    return ", ".join(f"{name} {metrics[name]:.3f}" for name in names or metrics if name in metrics)


def _aliases(version: "Version") -> str:
    return f"({', '.join(version.aliases) or 'no alias'})"
