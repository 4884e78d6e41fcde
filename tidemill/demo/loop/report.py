"""What the loop ends with: the times between its steps, the requests meanwhile, and the trail of who did what."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tidemill.demo.loop.asking import Asked
from tidemill.demo.loop.moments import Kind, Moment
from tidemill.demo.loop.timeline import LoopError, clock
from tidemill.tables import print_table, table

TOLD = {
    Kind.PLANTED: "behaviour changed",
    Kind.DRIFT: "drift was found",
    Kind.REQUESTED: "a new model was requested",
    Kind.CLAIMED: "the request was claimed",
    Kind.TRAINED: "the model was trained",
    Kind.PASSED: "it passed the gates",
    Kind.BEGUN: "its canary began",
    Kind.STEP: "its next step",
    Kind.PROMOTED: "it was the champion",
    Kind.TAKEN_BACK: "a guard took it back",
}
MOST_S = 15 * 60.0


def print_report(moments: Sequence[Moment], asked: Asked, history: Sequence[Mapping[str, Any]]) -> None:
    """Print it on stdout."""
    rows = list(steps_of(moments))
    print_table(table(("what", "at (UTC)", "since the one before", "since the change"), rows, "The loop"))
    print_table(table(("requests", "figure"), list(_requests(asked)), "Meanwhile", has_head=False))
    trail = [(str(e["at"])[:19], e["who"], e["what"], e["version"], e["reason"], e["evidence"]) for e in history]
    head = ("at (UTC)", "who", "what", "version", "reason", "evidence")
    print_table(table(head, trail, "tidemill models history card_fraud"))


def steps_of(moments: Sequence[Moment]) -> Iterator[tuple[str, str, str, str]]:
    """From the change on: of each kind the first, of the steps of a canary all; and again for the bad model."""
    after = _since_the_change(moments)
    for before, moment in pairwise([None, *after]):
        assert moment is not None  # noqa: S101 - the first alone is None
        since = clock((moment.at - before.at).total_seconds()) if before else ""
        yield TOLD[moment.kind], f"{moment.at:%H:%M:%S}", since, clock((moment.at - after[0].at).total_seconds())


def _since_the_change(moments: Sequence[Moment]) -> list[Moment]:
    planted = next((number for number, moment in enumerate(moments) if moment.kind is Kind.PLANTED), len(moments))
    told: list[Moment] = []
    for moment in sorted(moments[planted:], key=lambda moment: moment.at):
        is_again = moment.kind is Kind.DRIFT and any(before.kind is Kind.DRIFT for before in told)
        if moment.kind in TOLD and not is_again:
            told.append(moment)
    return told


def time_to_promotion(moments: Sequence[Moment]) -> float:
    """Seconds from the change to the champion that followed from it."""
    after = _since_the_change(moments)
    promoted = next(moment for moment in after if moment.kind is Kind.PROMOTED)
    return (promoted.at - after[0].at).total_seconds()


def check(moments: Sequence[Moment], asked: Asked) -> None:
    """That no request failed, and that the loop was closed in time.

    Raises:
        LoopError: with what was not so.
    """
    if asked.failed:
        raise LoopError(f"{asked.failed:,} of {asked.requests:,} requests failed: {'; '.join(asked.failures)}")
    took = time_to_promotion(moments)
    if took > MOST_S:
        raise LoopError(f"from the change to the new champion it took {clock(took)}, {clock(MOST_S)} is what it may")


def _requests(asked: Asked) -> Iterator[tuple[str, str]]:
    yield "requests", f"{asked.requests:,}, {asked.failed:,} failed, the slowest in {asked.slowest_ms:,.0f} ms"
    for name, count in sorted(asked.predictions.items()):
        yield f"predictions of {name}", f"{count:,}"
    for name, count in sorted(asked.degraded.items()):
        yield f"degraded by {name}", f"{count:,}"
