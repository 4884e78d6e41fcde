"""Declarations in YAML, read into a model: whatever is wrong in one is said with the file, the key and the value."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tidemill.config import strict_yaml
from tidemill.config.errors import TerminalError, nearest

Content = TypeVar("Content", bound=BaseModel)


def read_declared(
    file: Path, model: type[Content], error: type[TerminalError], explain: Callable[[ErrorDetails], str]
) -> Content:
    """What ``file`` declares; ``explain`` puts what pydantic says against it into words, as :func:`explained` does.

    Raises:
        TerminalError: as an ``error``, the file cannot be read, is not YAML, or has an unknown, missing or bad value.
    """
    try:
        return model.model_validate(strict_yaml.read(file))
    except OSError as cause:
        raise error(f"{file}: cannot be read: {cause.strerror}") from cause
    except yaml.YAMLError as cause:
        raise error(f"{file}: not valid YAML: {cause}") from cause
    except ValidationError as cause:
        raise error("; ".join(f"{file}: {explain(problem)}" for problem in cause.errors())) from cause


def explained(problem: ErrorDetails, what: str, keys: Collection[str]) -> str:
    """One problem in words; ``what`` is declared, such as "a gold table", and ``keys`` it may have there."""
    key = ".".join(map(str, problem["loc"])) or "(the whole file)"
    match problem["type"]:
        case "missing":
            return f"{key} is missing"
        case "extra_forbidden":
            return f"{key} is no key of {what}{nearest(str(problem['loc'][-1]), keys)}"
    says, given = problem["msg"].removeprefix("Value error, "), repr(problem["input"])
    if problem["type"] == "value_error" and (isinstance(problem["input"], dict | list) or given in says):
        return f"{key}: {says}"
    return f"{key} = {given:.100}: {says}"
