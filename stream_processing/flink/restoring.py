"""Where a job goes on from after its manager died: its newest whole checkpoint."""

import shutil
from pathlib import Path

from stream_processing.flink.configuration import checkpoints, file_uri, path_of
from stream_processing.flink.deployments import Deployment
from tidemill.config.settings import Settings

METADATA = "_metadata"
"""The file that Flink writes last, under this name only when it is whole."""


def newest_state(settings: Settings, deployment: Deployment) -> str | None:
    """The URI of the newest checkpoint of any attempt, else what the deployment began with."""
    root = path_of(checkpoints(settings, deployment.job))
    for attempt in reversed(deployment.attempts):
        numbered = {_number(file.parent): file.parent for file in (root / attempt).glob(f"chk-*/{METADATA}")}
        if numbered:
            return file_uri(numbered[max(numbered)])
    return deployment.restore


def forget_older(settings: Settings, deployment: Deployment) -> None:
    """Remove the checkpoints of earlier attempts, once the newest has one: it stands on no file of theirs."""
    root, newest = path_of(checkpoints(settings, deployment.job)), deployment.job_id
    if newest is None or not any((root / newest).glob(f"chk-*/{METADATA}")):
        return
    for folder in root.iterdir():
        if folder.name != newest:
            shutil.rmtree(folder)


def _number(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("chk-"))
