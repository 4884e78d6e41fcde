"""What becomes of the stack when a demo is over."""

from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.config.settings import Settings
from tidemill.stack.down import down


@contextmanager
def stack_ends(settings: Settings, is_asked: bool) -> Iterator[None]:
    """Where it is asked for, the stack is stopped when the block is left, also by an error."""
    try:
        yield
    finally:
        if is_asked:
            down(settings)
