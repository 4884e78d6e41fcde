"""Modules of a project: which file of it an error came from."""

import traceback
from pathlib import Path


def own_module(error: BaseException, file: Path) -> Path:
    """The file that ``error`` came from: ``file``, or another beside it that it imports and that raised."""
    if isinstance(error, SyntaxError) and error.filename:
        raised = Path(error.filename)
        return raised if raised.parent.parent == file.parent.parent else file
    frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    beside = [frame for frame in frames if frame.parent.parent == file.parent.parent]
    return beside[-1] if beside else file
