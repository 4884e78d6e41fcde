"""Where Python looks for modules."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path


def own_first(path: Sequence[str], own: Path, pythonpath: str) -> list[str]:
    """``path`` with the folder ``own`` first, and without those of ``PYTHONPATH`` that are not Python's."""
    foreign = {os.path.abspath(folder) for folder in pythonpath.split(os.pathsep)}  # noqa: PTH100 - as site makes them
    foreign = {folder for folder in foreign if not Path(folder).is_relative_to(sys.prefix)} - {sys.base_prefix}
    return [str(own), *(folder for folder in path if folder not in foreign and folder != str(own))]
