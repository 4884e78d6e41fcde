"""A use case's own estimators: what its ``estimators.py`` has beside the built-in ones."""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tidemill.config.errors import TerminalError

FILE = "estimators.py"
ESTIMATORS, TRUSTED = "ESTIMATORS", "TRUSTED_TYPES"


class EstimatorError(TerminalError):
    """An ``estimators.py`` that cannot be used; the message names what to write instead."""


def own_estimators(use_case: str) -> Mapping[str, Callable[..., Any]]:
    """The estimators by the name that ``model.yaml`` calls them; none without the file.

    Raises:
        EstimatorError: the file has no ESTIMATORS, or one is no scikit-learn estimator.
    """
    module = _module(use_case)
    if module is None:
        return {}
    found = getattr(module, ESTIMATORS, None)
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise EstimatorError(f'{_path(use_case)}: {ESTIMATORS} is {found!r}; write {ESTIMATORS} = {{"name": Class}}')
    for name, kind in found.items():
        missing = [method for method in ("fit", "predict", "get_params", "set_params") if not hasattr(kind, method)]
        if missing:
            raise EstimatorError(
                f"{_path(use_case)}: {name} has no {', '.join(missing)}: derive it from scikit-learn's BaseEstimator"
            )
    return found


def trusted_types(use_case: str, found: Callable[[], Iterable[str]]) -> list[str]:
    """Which of the types ``found`` in a model's file may be built: those of the installed use case's own file.

    They are its own classes, and those of other libraries that it names in ``TRUSTED_TYPES``.
    """
    module = _module(use_case)
    if module is None:
        return []
    named = set(getattr(module, TRUSTED, ()))
    return [name for name in found() if name.startswith(f"{module.__name__}.") or name in named]


def _module(use_case: str) -> Any:
    name = f"use_cases.{use_case}.estimators"
    if importlib.util.find_spec(f"use_cases.{use_case}") is None or importlib.util.find_spec(name) is None:
        return None
    return importlib.import_module(name)


def _path(use_case: str) -> str:
    return f"use_cases/{use_case}/{FILE}"
