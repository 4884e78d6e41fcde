"""YAML as our declarations have it: a key that is given twice is refused, of which YAML would take the last."""

from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in keys[:number]:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is there twice", key.start_mark)
        return super().construct_mapping(node, deep)


def read(file: Path) -> Any:
    """The content of ``file``.

    Raises:
        OSError: it cannot be read.
        yaml.YAMLError: it is not YAML in UTF-8, or has a key twice.
    """
    return yaml.load(file.read_bytes(), _Loader)  # noqa: S506 - a safe one
