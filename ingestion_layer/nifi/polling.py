"""Pages that are polled: when each is asked again, and what became of a look at it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from time import monotonic

from ingestion_layer.nifi.publishing import PARTIAL, REJECTED, SUCCESS, Outcome
from ingestion_layer.sources.mapped.answers import Page, PageRefusedError, PageUnavailableError, pause_s
from ingestion_layer.sources.mapped.mapping import MappingError, mapping_called
from ingestion_layer.sources.mapped.polled import PolledSource
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

UNCHANGED, WAITING, UNAVAILABLE = "unchanged", "waiting", "unavailable"


@dataclass(frozen=True)
class _Turn:
    """``at`` is when a page may be asked again, by the monotonic clock; ``failures`` in a row led to it."""

    at: float = 0.0
    failures: int = 0


class Pages:
    """Looks at pages, each no more often than every ``nifi.poll_s``, and less often while its server is tired."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._turns: dict[str, _Turn] = {}

    def look(self, mapping: str, url: str) -> Outcome:
        """What the page at ``url`` says new, through the mapping of this name; it is sent and acknowledged."""
        turn = self._turns.get(url, _Turn())
        if self._clock() < turn.at:
            return Outcome(WAITING)
        try:
            outcome = _looked(self._settings, mapping, url)
        except TransientError as error:
            asked_s = error.retry_after_s if isinstance(error, PageUnavailableError) else 0.0
            failures = turn.failures + 1
            wait_s = pause_s(failures, asked_s)
            self._turns[url] = _Turn(self._clock() + wait_s, failures)
            return Outcome(UNAVAILABLE, {"reason": str(error), "retry.after.s": f"{wait_s:.1f}"})
        self._turns[url] = _Turn(self._clock() + self._settings.nifi.poll_s)
        return outcome


def _looked(settings: Settings, mapping: str, url: str) -> Outcome:
    try:
        checked = mapping_called(mapping)
        with closing(Page(url)) as page, PolledSource(settings, checked, page).held() as source:
            told = source.look()
    except (MappingError, PageRefusedError) as error:
        return Outcome(REJECTED, {"reason": str(error)})
    if told is None:
        return Outcome(UNCHANGED)
    rejected = sum(told.rejected.values())
    attributes = {"rows": str(told.rows), "new": str(told.new), "events": str(told.produced)}
    if not rejected:
        return Outcome(SUCCESS, attributes)
    return Outcome(PARTIAL, {**attributes, "rejects.file": str(source.rejected_path)})
