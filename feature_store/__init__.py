"""Features: offline frames for training, online values for serving.

Feast has typeguard recompile the functions of its classes when they are imported, so that their arguments are checked
at run time. That is two thirds of the time its import takes, in every process that reads or writes a feature. Here its
classes are imported as they are written; mypy checks our calls.
"""

from functools import partial
from typing import Any

import typeguard

_typechecked = typeguard.typechecked


def _leave_feast_as_written(target: Any = None, **options: Any) -> Any:
    if target is None:
        return partial(_leave_feast_as_written, **options)
    return target if target.__module__.startswith("feast.") else _typechecked(target, **options)


typeguard.typechecked = _leave_feast_as_written
