"""Before any traffic: the champion must say again what it said, and what the challenger would have said is kept."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from data_lake.delta_rs import MissingTableError
from ml_modeling.registry import UnreadableModelError, way_out
from ml_modeling.replay import Replay, replay
from ml_modeling.replay.run import NothingToReplayError
from monitoring.rollout.errors import ReplayDiffersError
from monitoring.rollout.scores import expected
from tidemill.config.settings import Settings

Document = dict[str, Any]


def proof(settings: Settings, use_case: str, challenger: str, span: timedelta) -> Document:
    """What the replays of the last ``span`` show, as evidence: the proof of the champion, the challenger's differences.

    Where nothing can be replayed, the evidence says why; a log that is not there yet holds nothing up.

    Raises:
        ReplayDiffersError: the champion, or its files, are not those that answered.
        UnreadableModelError: the files of one of them are not those that were trained, or it cannot score the log.
    """
    end = datetime.now(UTC)
    window = (end - span, end)
    try:
        champions = _replayed(lambda: replay(settings, use_case, None, *window))
    except UnreadableModelError as error:
        told = f"the champion cannot be compared with, so nothing is rolled out: {error}"
        raise UnreadableModelError(f"{told}. {way_out(use_case)}") from error
    if isinstance(champions, Replay) and champions.proof is not None and not champions.holds:
        shown = champions.proof
        raise ReplayDiffersError(
            f"version {champions.version} of {use_case!r} says {shown.different:,} of its {shown.answers:,} logged "
            f"answers otherwise now, so nothing is rolled out; {shown.why}. "
            f"`tidemill models replay {use_case}` shows them"
        )
    challengers = _replayed(lambda: replay(settings, use_case, challenger, *window))
    return {
        "replay": {
            "from": window[0].isoformat(),
            "to": window[1].isoformat(),
            "champion": _of_champion(champions),
            "challenger": _of_challenger(challengers),
        },
        "champion_scores": _cells(champions),
        "challenger_scores": _cells(challengers),
    }


def no_champion() -> Document:
    """The evidence where there is nobody to compare with."""
    return {"replay": {"champion": "there is no champion, so nothing was replayed", "challenger": None}}


def _replayed(asked: Callable[[], Replay]) -> Replay | str:
    """The replay, or why there is none."""
    try:
        return asked()
    except (MissingTableError, NothingToReplayError) as error:
        return str(error)


def _of_champion(replayed: Replay | str) -> Document | str:
    if isinstance(replayed, str):
        return replayed
    if replayed.proof is None:
        return f"none of the {replayed.answers:,} logged answers is of version {replayed.version}"
    same = replayed.proof.answers - replayed.proof.different
    return {"version": replayed.version, "answers": replayed.proof.answers, "same_to_the_last_bit": same}


def _of_challenger(replayed: Replay | str) -> Document | str:
    if isinstance(replayed, str):
        return replayed
    if replayed.differences is None:
        return f"none of the {replayed.answers:,} logged answers is of another version"
    return replayed.differences.model_dump(mode="json", exclude={"examples"})


def _cells(replayed: Replay | str) -> Document | None:
    cells = None if isinstance(replayed, str) else expected(replayed.said)
    return None if cells is None else cells.model_dump(mode="json")


def told(evidence: Document) -> str:
    """The proof in a sentence."""
    champion = evidence.get("replay", {}).get("champion")
    if isinstance(champion, dict):
        return f"replay: {champion['answers']:,} answers of the champion are the same to the last bit"
    return f"replay: {champion or 'none'}"
