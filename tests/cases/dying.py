"""Points in the way of a process at which something happens to it: it is killed, or stands still."""

import functools
import os
import signal
from collections.abc import Callable
from typing import Any

Happening = Callable[[], None]
Point = Callable[[Happening], None]
"""Has what is given happen at one place of the code."""
When = Callable[..., bool]


def always(*_: Any, **__: Any) -> bool:
    return True


def before(owner: Any, name: str, when: When = always) -> Point:
    """Where ``owner.name`` begins, for the calls that ``when`` is true of."""

    def begins(happen: Happening) -> None:
        own = getattr(owner, name)

        @functools.wraps(own)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            if when(*arguments, **named):
                happen()
            return own(*arguments, **named)

        setattr(owner, name, wrapped)

    return begins


def after(owner: Any, name: str, when: When = always) -> Point:
    """Where ``owner.name`` ends, as :func:`before`."""

    def ends(happen: Happening) -> None:
        own = getattr(owner, name)

        @functools.wraps(own)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = own(*arguments, **named)
            if when(*arguments, **named):
                happen()
            return result

        setattr(owner, name, wrapped)

    return ends


def kill() -> None:
    """No handler, no ``finally``, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)
