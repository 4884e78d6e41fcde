"""``tidemill ingest``: rows of others, by a mapping, to events of a contract."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidemill.commands.produce import AGAIN, JSON, _print, _replay, _run
from tidemill.config import load_settings
from tidemill.config.interruption import noted_signals

if TYPE_CHECKING:
    from ingestion_layer.sources.mapped.files import FileSource
    from ingestion_layer.sources.mapped.polled import Told
    from ingestion_layer.sources.replay import Sent


MOST_PROCESSES = 4
ATTEMPTS = 5
"""How often ``poll --once`` asks before it gives up."""


@click.group(name="ingest")
def command() -> None:
    """Send rows of others to Kafka: files, tables, what partners drop into a folder, pages that are polled.

    MAPPING is the name of a file sources/<name>.yaml, or the path of one: it says which column becomes what of which
    contract. A row that does not fit is written to <home>/rejected with its line and the reason, and the run goes on.
    """


@command.command()
@click.argument("mapping")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--processes", type=click.IntRange(1), help="How many judge the rows of a large file.  [default: cores, up to 4]"
)
@AGAIN
@JSON
def files(mapping: str, paths: Sequence[Path], processes: int | None, again: bool, as_json: bool) -> None:
    """Send the rows of csv, JSON lines, parquet or xlsx files.

    Progress is kept by the content of file and mapping: a run that was killed goes on, a file sent already sends
    nothing. The exit status is 0 if every row was acknowledged by the broker or rejected; the document counts both.
    """
    from ingestion_layer.sources.mapped.files import FileSource
    from ingestion_layer.sources.mapped.mapping import mapping_called

    settings, checked = load_settings(), mapping_called(mapping)
    cores = min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    sources = [FileSource(settings, checked, path, processes or cores) for path in paths]
    for source in sources:
        _ = source.total
    with noted_signals() as stop:
        done = [(source, _replay(settings, source, again, stop)) for source in sources if not stop.is_set()]
        _print(_files_summary(done), as_json)


@command.command()
@click.argument("mapping")
@click.option(
    "--url",
    envvar="TIDEMILL_SECRET_INGEST_URL",
    required=True,
    help="SQLAlchemy's URL of the database; better in TIDEMILL_SECRET_INGEST_URL, where no process list shows it.",
)
@AGAIN
@JSON
def table(mapping: str, url: str, again: bool, as_json: bool) -> None:
    """Send the rows of a relational table: those written since the last run, or all of them.

    The mapping's section `table` names it, and the column that grows whenever a row is written. A row that changed is
    a new event; one that did not is the one that was sent.
    """
    from ingestion_layer.sources.mapped.database import readable_url
    from ingestion_layer.sources.mapped.mapping import mapping_called
    from ingestion_layer.sources.mapped.tables import BEYOND_NOW, WITHOUT, TableSource

    settings = load_settings()
    source = TableSource(settings, mapping_called(mapping), readable_url(url))
    source.check()
    with noted_signals() as stop:
        sent = _replay(settings, source, again, stop)
        told = _counts_told(source.counts)
        by_topic = {source.mapping.topic: {"produced": source.counts["events"]}}
        about = {"mapping": source.name, "database": source.shown_url, "table": source.said.name}
        rest = {
            WITHOUT: source.counts[WITHOUT],
            BEYOND_NOW: source.counts[BEYOND_NOW],
            "rejected_file": str(source.rejected_path),
        }
        _print({**about, **told, **rest, "by_topic": by_topic, **_run(sent)}, as_json)


@command.command()
@click.argument("mapping")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--every", type=click.FloatRange(0.05), default=1.0, show_default=True, help="Seconds between two looks.")
@click.option("--once", is_flag=True, help="Send what waits now, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document a file, each on its line.")
def watch(mapping: str, folder: Path, every: float, once: bool, as_json: bool) -> None:
    """Send the files that partners rename into FOLDER, as they come.

    A file whose rows were sent is moved to FOLDER/done, with the rows that did not fit in <file>.rejected.jsonl beside
    it. One that cannot be read, or of which no row fits, is moved to FOLDER/rejected, with <file>.reason.json. Files
    that begin with a point or end with .part, .tmp, .filepart or .crdownload are left. A run that was killed goes on in
    the middle of its file.
    """
    from ingestion_layer.kafka.topics import create_topics
    from ingestion_layer.sources.mapped.dropped import DropFolder, document
    from ingestion_layer.sources.mapped.dropped import watch as handle_files
    from ingestion_layer.sources.mapped.mapping import mapping_called

    settings = load_settings()
    dropped = DropFolder(settings, mapping_called(mapping), folder)
    with noted_signals() as stop, dropped.held():
        create_topics(settings)
        for handled in handle_files(dropped, every, stop, once=once):
            why = f": {handled.reason}" if handled.reason else ""
            counts = f"{handled.produced:,} of {handled.rows:,} rows"
            click.echo(document(handled) if as_json else f"{handled.file}: {handled.outcome}, {counts}{why}")


@command.command()
@click.argument("mapping")
@click.option(
    "--url", envvar="TIDEMILL_SECRET_POLL_URL", required=True, help="The page; TIDEMILL_SECRET_POLL_URL hides a key."
)
@click.option(
    "--every", type=click.FloatRange(0.05), default=60.0, show_default=True, help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Look once, after a failure up to five times, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document a look, each on its line.")
def poll(mapping: str, url: str, every: float, once: bool, as_json: bool) -> None:
    """Ask a page of JSON again and again, and send what it says new.

    It is asked by ETag and Last-Modified for what is new only. After a failure the pauses grow, at random, and are
    never shorter than a Retry-After. TIDEMILL_SECRET_POLL_TOKEN is sent as a bearer token.
    """
    from ingestion_layer.kafka.topics import create_topics
    from ingestion_layer.sources.mapped.answers import Page
    from ingestion_layer.sources.mapped.mapping import mapping_called
    from ingestion_layer.sources.mapped.polled import PolledSource
    from ingestion_layer.sources.mapped.polled import once as look_once
    from ingestion_layer.sources.mapped.polled import poll as look_again

    settings, checked = load_settings(), mapping_called(mapping)
    page = Page(url, os.environ.get("TIDEMILL_SECRET_POLL_TOKEN"))
    with noted_signals() as stop, closing(page):
        create_topics(settings)
        with PolledSource(settings, checked, page).held() as source:
            looks = [look_once(source, ATTEMPTS, stop)] if once else look_again(source, every, stop)
            for told in looks:
                _print_look(told, page.shown, as_json)


def _print_look(told: "Told | None", page: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"page": page, "is_new": told is not None, **(asdict(told) if told else {})}))
    elif told is None:
        click.echo(f"{page}: nothing new")
    else:
        rejected = f", rejected: {json.dumps(told.rejected)}" if told.rejected else ""
        click.echo(f"{page}: {told.new:,} of {told.rows:,} rows are new, {told.produced:,} sent{rejected}")


def _files_summary(done: "Sequence[tuple[FileSource, Sent]]") -> dict[str, Any]:
    """Counts over all runs of these files; ``sent`` and the rate are of this one."""
    counts: Counter[str] = Counter()
    for source, _ in done:
        counts.update(source.counts)
    first = done[0][0]
    sent, seconds = sum(run.total for _, run in done), sum(run.seconds for _, run in done)
    return {
        "mapping": first.name,
        **_counts_told(counts),
        "by_topic": {first.mapping.topic: {"produced": counts["events"]}},
        "files": [
            {
                "file": str(source.path),
                **_counts_told(source.counts),
                "rejected_file": str(source.rejected_path),
                **_run(run),
            }
            for source, run in done
        ],
        "sent": sent,
        "seconds": round(seconds, 3),
        "rate": round(sent / seconds, 1) if seconds else 0.0,
    }


def _counts_told(counts: Counter[str]) -> dict[str, Any]:
    rejected = {name.removeprefix("rejected/"): counts[name] for name in sorted(counts) if name.startswith("rejected/")}
    return {"rows": counts["rows"], "produced": counts["events"], "rejected": rejected}
