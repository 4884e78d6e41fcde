"""A page that is polled as a source: what it says new is an event, once, also when the process dies on the way."""

import hashlib
import sys
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from threading import Event as Signal
from typing import Any, Self

import orjson

from ingestion_layer.kafka.identity import OtherClusterError, cluster_id
from ingestion_layer.kafka.producer import EventProducer, RawMessage
from ingestion_layer.sources.mapped.answers import Answer, Page, PageUnavailableError, pause_s
from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.declared import RECEIVED
from ingestion_layer.sources.mapped.events import Judge, Judged
from ingestion_layer.sources.mapped.formats.json_lines import cell
from ingestion_layer.sources.mapped.mapping import SourceMapping
from ingestion_layer.sources.mapped.rejected import RejectedLines
from ingestion_layer.sources.progress import ProgressError, ProgressFile
from tidemill.config.errors import TransientError, nearest
from tidemill.config.files import replace_file
from tidemill.config.settings import Settings
from tidemill.contracts.json_text import BeyondLimitsError, NotJsonError, parse
from tidemill.contracts.serialise import to_json


@dataclass(frozen=True)
class Standing:
    """What is known of a page: its validators, digests of the rows it had, and a page that came but may not be sent."""

    validators: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[str, ...] = ()
    pending: Mapping[str, Any] | None = None
    rejected_bytes: int = 0


@dataclass(frozen=True)
class Told:
    """What one look at a page came to."""

    rows: int
    new: int
    produced: int
    rejected: Mapping[str, int]


class PolledSource:
    """The page of ``page`` through one mapping."""

    def __init__(self, settings: Settings, mapping: SourceMapping, page: Page) -> None:
        self._settings, self._mapping, self._page = settings, mapping, page
        self._cluster_id = cluster_id(settings)
        identity = hashlib.sha256(f"{page.url} {mapping.digest}".encode()).hexdigest()[:16]
        self._file = ProgressFile.of(settings, mapping.name, identity, self._cluster_id)
        self.rejected_path = settings.home / "rejected" / f"{mapping.name}.{identity}.jsonl"
        self._judge = Judge(mapping, page.shown, by_content=True)

    @contextmanager
    def held(self) -> Iterator[Self]:
        """Keep other processes from polling the same page meanwhile.

        Raises:
            AlreadyRunningError: one does.
        """
        with self._file.held():
            yield self

    def look(self) -> Told | None:
        """Send what the page says new; None when it says nothing new.

        A page is on disk before it is sent: after a kill it is sent again as it was, with the same ids.

        Raises:
            PageUnavailableError: no answer, or none that can be read.
            NotAcknowledgedError, BrokerUnavailableError: the broker is away.
            OtherClusterError: another one answers, of which this source's progress says nothing.
        """
        standing = self._load()
        if standing.pending is None:
            answer = self._page.ask(standing.validators)
            if answer is None:
                return None
            self._rows(answer.body)
            standing = replace(standing, pending=_kept(answer))
            self._save(standing)
        return self._send(standing)

    def _send(self, standing: Standing) -> Told:
        assert standing.pending is not None  # noqa: S101
        answer = _answer(standing.pending)
        rows = self._rows(answer.body)
        digests = [hashlib.sha256(to_json(self._read(row))).hexdigest()[:24] for row in rows]
        before = set(standing.rows)
        new = [index for index, of_row in enumerate(digests) if of_row not in before]
        chunk = self._chunk(rows, new, answer.received)
        judged = self._judge.judge(chunk)
        self._publish(judged)
        with RejectedLines(self.rejected_path, standing.rejected_bytes) as rejected:
            rejected.add(judged.rejects)
            size = rejected.size()
        self._save(Standing(answer.validators, tuple(digests), None, size))
        reasons = Counter(reject.reason for reject in judged.rejects)
        return Told(len(rows), len(new), len(judged.values), dict(sorted(reasons.items())))

    def _publish(self, judged: Judged) -> None:
        """By a producer of its own: one that failed to send a message says so ever after."""
        with EventProducer(self._settings) as producer:
            if producer.cluster_id != self._cluster_id:
                raise OtherClusterError(
                    f"another Kafka cluster answers at {self._settings.kafka.bootstrap_servers} than when polling "
                    "began: start the command again"
                )
            producer.send(self._mapping.topic, map(RawMessage, judged.keys, judged.values))

    def _rows(self, body: bytes) -> list[Any]:
        """The list of the page that the mapping names.

        Raises:
            PageUnavailableError: there is none, which may be another time.
        """
        try:
            document = parse(body.strip())
        except (NotJsonError, BeyondLimitsError) as error:
            raise PageUnavailableError(f"{self._page.shown} sends what is no JSON: {error}") from error
        path = self._mapping.declared.poll.rows
        rows = cell(document, path) if path and isinstance(document, dict) else document
        if not isinstance(rows, list):
            there = nearest(path or "", document) if isinstance(document, dict) else ""
            place = f"at poll.rows = {path!r}" if path else "(state poll.rows)"
            raise PageUnavailableError(f"{self._page.shown} has no list of rows {place}{there[:200]}")
        return rows

    def _read(self, row: Any) -> list[Any]:
        """What the mapping reads of a row."""
        if not isinstance(row, dict):
            return [row]
        return [cell(row, name) for name in self._mapping.read_columns if name != RECEIVED]

    def _chunk(self, rows: list[Any], new: list[int], received: datetime) -> Chunk:
        """The new rows; the line of each is its place on the page, from 1."""
        documents = [row if isinstance(row, dict) else {} for row in (rows[index] for index in new)]
        columns = {
            name: [received] * len(new) if name == RECEIVED else [cell(document, name) for document in documents]
            for name in self._mapping.read_columns
        }
        return Chunk(len(rows), [index + 1 for index in new], columns)

    def _load(self) -> Standing:
        if not self._file.path.exists():
            return Standing()
        try:
            return Standing(**orjson.loads(self._file.path.read_bytes()))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise ProgressError(f"{self._file.path} is damaged ({error}): delete it to begin anew") from error

    def _save(self, standing: Standing) -> None:
        replace_file(self._file.path, orjson.dumps(asdict(standing)))


def poll(source: PolledSource, every_s: float, stop: Signal) -> Iterator[Told | None]:
    """What each look comes to, until ``stop`` is set; a failure is told on stderr, and tried again after a pause.

    Raises:
        PageRefusedError: the server will not answer this request.
    """
    failures = 0
    while not stop.is_set():
        try:
            yield source.look()
            failures, pause = 0, every_s
        except TransientError as error:
            failures += 1
            pause = pause_s(failures, getattr(error, "retry_after_s", 0.0))
            sys.stderr.write(f"tidemill: {error}; next try in {pause:.1f} s\n")
        stop.wait(pause)


def once(source: PolledSource, attempts: int, stop: Signal) -> Told | None:
    """What one look comes to, which is tried so many times.

    Raises:
        PageUnavailableError: none of them was answered.
        PageRefusedError: the server will not answer this request.
    """
    for failures in range(1, attempts + 1):
        try:
            return source.look()
        except PageUnavailableError as error:
            if failures == attempts or stop.wait(pause_s(failures, error.retry_after_s)):
                raise
    return None


def _kept(answer: Answer) -> dict[str, Any]:
    body = b64encode(answer.body).decode()
    return {"body": body, "validators": dict(answer.validators), "received": answer.received.isoformat()}


def _answer(kept: Mapping[str, Any]) -> Answer:
    return Answer(b64decode(kept["body"]), kept["validators"], datetime.fromisoformat(kept["received"]))
