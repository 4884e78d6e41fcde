"""How windows are written: ``days(30)`` in a definition, ``30d`` in a name."""

from datetime import timedelta

from feature_store.definitions.errors import DefinitionError
from feature_store.definitions.windows import HOPS, LIFETIME

UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)))
LONGEST = timedelta(days=36_500)


def days(number: int) -> timedelta:
    return timedelta(days=number)


def hours(number: int) -> timedelta:
    return timedelta(hours=number)


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def spell(window: timedelta) -> str:
    """``5m``, ``12h``, ``30d`` or ``all``: the largest unit of which the window is a whole number."""
    if window == LIFETIME:
        return "all"
    return next(f"{window // unit}{letter}" for letter, unit in UNITS if not window % unit)


def check_windows(field: str, windows: tuple[timedelta, ...]) -> None:
    """Each window is LIFETIME or whole minutes, no shorter than the shortest hop, and stands there once."""
    for window in windows:
        if not isinstance(window, timedelta):
            raise DefinitionError(f"{field}: {window!r} is neither a timedelta nor LIFETIME")
        if window == LIFETIME:
            continue
        if window < HOPS[0] or window > LONGEST:
            raise DefinitionError(f"{field}: {window} is not between 5 minutes and {LONGEST.days} days")
        if window % UNITS[-1][1]:
            raise DefinitionError(f"{field}: {window} is not a whole number of minutes")
    if len(set(windows)) != len(windows):
        raise DefinitionError(f"{field}: a window stands there twice")
