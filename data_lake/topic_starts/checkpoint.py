"""How far a checkpoint of Spark had come with a topic, of a lake whose bronze did not note it yet."""

import json
from pathlib import Path

from pyarrow import fs

from data_lake.delta_rs import checkpoint_storage
from tidemill.config.settings import Settings


def read_checkpoint(settings: Settings, name: str, topic: str) -> dict[int, int]:
    """Where the last finished batch of checkpoint ``name`` ended in ``topic``, by partition; empty without one."""
    if "://" not in settings.checkpoints and not Path(settings.checkpoints).is_dir():
        return {}
    files = fs.PyFileSystem(checkpoint_storage(settings))
    noted, finished = _batches(files, f"{name}/offsets"), _batches(files, f"{name}/commits")
    ended = [batch for batch in finished if batch in noted]
    return _offsets(files, f"{name}/offsets/{max(ended)}", topic) if ended else {}


def _batches(files: fs.PyFileSystem, folder: str) -> set[int]:
    listed = files.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return {int(file.base_name) for file in listed if file.base_name.isdigit()}


def _offsets(files: fs.PyFileSystem, path: str, topic: str) -> dict[int, int]:
    """A note of Spark: a version, then JSON of the batch, then of each source where the batch ends in it."""
    *_, source = files.open_input_file(path).read().splitlines()
    return {int(partition): offset for partition, offset in json.loads(source).get(topic, {}).items()}
