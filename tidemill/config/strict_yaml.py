"""YAML as our declarations have it: a key that is given twice is refused, of which YAML would take the last."""

from pathlib import Path
from typing import Any

import yaml

NO_VALUE = (ValueError, LookupError, ArithmeticError, AttributeError)
"""What PyYAML raises for a scalar that is none of its type, such as the day 2026-02-30."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if key.value in keys[:number]:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is there twice", key.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            if isinstance(node, yaml.ScalarNode):
                node.value.encode()  # an escaped half of a surrogate pair is no text
            return super().construct_object(node, deep)
        except NO_VALUE as error:
            why = f"{node.value!r} is no value: {error}"
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark) from error


def read(file: Path) -> Any:
    """The content of ``file``.

    Raises:
        OSError: it cannot be read.
        yaml.YAMLError: it is not YAML in UTF-8, or has a key twice.
    """
    return read_with_node(file)[0]


def read_with_node(file: Path) -> tuple[Any, yaml.Node | None]:
    """The content of ``file``, and its node, which says where each part of it stands; None where there is nothing.

    Raises:
        OSError, yaml.YAMLError: as :func:`read`.
    """
    loader = _Loader(file.read_bytes())
    try:
        node = loader.get_single_node()
        return (None if node is None else loader.construct_document(node)), node
    except RecursionError as error:
        raise yaml.YAMLError("nested too deeply") from error
    finally:
        loader.dispose()
