"""A model answers the requests of the log again.

Of the answers it gave itself, it must say the same to the last bit: a score follows from the features and the model
alone, and the log has both. So the proof shows that log, model file, libraries and definition are what they were. Of
the answers of others, the report shows what would change if this model answered from now on.
"""

import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ml_modeling.registry.aliases import NoModelError, champion_version
from ml_modeling.registry.answers import ClassScores, Scores, Values, answer
from ml_modeling.registry.connection import connect, mlflow_errors
from ml_modeling.registry.identity import ModelIdentity, digest_of, identity_of
from ml_modeling.registry.scorer import Floats
from ml_modeling.registry.served import (
    NO_DECISION,
    Serving,
    UnreadableModelError,
    check_digest,
    download,
    read_model,
)
from ml_modeling.replay.comparing import Comparing, Proving, Replayed
from ml_modeling.replay.logged import logged_answers
from ml_modeling.replay.report import Replay
from ml_modeling.replay.saying import Saying
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

REQUIREMENTS = "requirements.txt"


class NothingToReplayError(TerminalError):
    """The log has no answer that this model could give."""


@dataclass(frozen=True)
class Loaded:
    """A registered version whose files are those that were trained; ``requirements`` are the libraries it names."""

    version: str
    identity: ModelIdentity
    spec: Serving
    pipeline: Any
    requirements: tuple[str, ...]


def replay(settings: Settings, use_case: str, version: str | None, begin: datetime, end: datetime) -> Replay:
    """What ``version`` (None: the champion) says to the requests from ``begin`` to before ``end``, which are aware.

    Raises:
        NoModelError: there is no champion, and no version was named.
        MlflowMissingError: there is no such version.
        UnreadableModelError: its files are not those that were trained, or none that this project can serve; or it
            raises something at rows that were logged.
        NothingToReplayError: none of the logged answers was made from the features that it reads.
        MissingTableError: nothing was logged yet.
    """
    model = _load(settings, use_case, version)
    proving, comparing, saying = Proving(), Comparing(model.spec.features), Saying()
    answers = unscored = lacking = 0
    seconds = 0.0
    for batch in logged_answers(settings, model.spec, model.identity, begin, end):
        answers += len(batch)
        unscored += int((~batch.is_scored).sum())
        lacking += int((batch.is_scored & ~batch.is_whole).sum())
        asked = batch.where(batch.is_scored & batch.is_whole)
        if not len(asked):
            continue
        began = time.perf_counter()
        now = _answered(model, asked.matrix)
        seconds += time.perf_counter() - began
        saying.add(now)
        for counting, rows in ((proving, asked.is_own), (comparing, ~asked.is_own)):
            if rows.any():
                counting.add(asked.where(rows), Replayed(now.answers[rows], now.decisions[rows]))
    found = Replay(
        use_case=use_case,
        version=model.version,
        run_id=model.identity.run_id,
        model_id=model.identity.model_id,
        begin=begin,
        end=end,
        answers=answers,
        unscored=unscored,
        lacking=lacking,
        proof=proving.result(_why(model, proving)),
        differences=comparing.result(),
        said=saying.result(),
        scoring_s=seconds,
    )
    if answers == unscored + lacking:
        raise NothingToReplayError(_nothing(model, found))
    return found


def _load(settings: Settings, use_case: str, version: str | None) -> Loaded:
    wanted = version or champion_version(settings, use_case)
    if wanted is None:
        raise NoModelError(f"model {use_case!r} has no champion: name a version, `tidemill models list` shows them")
    client = connect(settings)
    with mlflow_errors(settings, f"reading model {use_case!r} version {wanted}"):
        found = client.get_model_version(use_case, wanted)
    identity, what = identity_of(found), f"version {wanted} of {use_case!r}"
    with tempfile.TemporaryDirectory() as parent:
        folder = download(settings, str(found.source), Path(parent))
        check_digest(digest_of(folder), identity.digest, what)
        spec, pipeline = read_model(folder, what)
        named = folder / REQUIREMENTS
        lines = named.read_text(encoding="utf-8").split() if named.is_file() else []
    return Loaded(str(wanted), identity, spec, pipeline, tuple(lines))


def _answered(model: Loaded, matrix: Floats) -> Replayed:
    found = _asked(model, matrix)
    match found:
        case Scores() | ClassScores():
            scores = found.scores if found.scores.ndim > 1 else found.scores.reshape(-1, 1)
            return Replayed(scores, np.array(found.decisions, dtype=object))
    return Replayed(found.values.reshape(-1, 1), np.full(len(matrix), NO_DECISION, dtype=object))


def _asked(model: Loaded, matrix: Floats) -> Scores | ClassScores | Values:
    try:
        return answer(model.spec, model.pipeline, matrix)
    except Exception as error:  # an estimator of a project's own may raise anything
        what = f"version {model.version} of {model.spec.use_case!r}"
        raise UnreadableModelError(f"{what} cannot score logged rows: {type(error).__name__}: {error}") from error


def _why(model: Loaded, proving: Proving) -> str:
    """What makes the model's own answers others than they were: what cannot be it is ruled out first."""
    if proving.matrix is None:
        return ""
    together = _answered(model, proving.matrix).answers
    alone = np.vstack([_answered(model, row.reshape(1, -1)).answers for row in proving.matrix[:100]])
    if (together[:100] != alone).any():
        return "estimator: what it says of a row depends on the rows that are asked with it"
    others = [line for line in model.requirements if not _is_installed(line)]
    if others:
        return f"library: the model was made with {', '.join(others)}, and others are installed here"
    return "log: model file, libraries and definition are those that answered, so the log is not as it was written"


def _is_installed(requirement: str) -> bool:
    name, _, version = requirement.partition("==")
    try:
        return not version or metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False


def _nothing(model: Loaded, found: Replay) -> str:
    window = f"from {found.begin:%Y-%m-%d %H:%M} to {found.end:%Y-%m-%d %H:%M} UTC"
    if not found.answers:
        return f"no answer of {found.use_case} is logged {window}: give another --from and --to"
    if found.lacking:
        return (
            f"definition: version {model.version} of {found.use_case!r} reads features that the log does not have: of "
            f"{found.answers:,} answers {window} {found.lacking:,} were made from features of other names or another "
            f"meaning (the model's has the fingerprint {model.spec.feature_fingerprint})"
        )
    return f"all {found.unscored:,} answers of {found.use_case} {window} were for a cold start: no model made them"
