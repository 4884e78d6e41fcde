"""Bodies arrive within a time, or not at all."""

import asyncio

from starlette.types import Message, Receive


class LateBodyError(Exception):
    """The end of a body did not come in time."""


def in_time(receive: Receive, timeout_s: float) -> Receive:
    """``receive``, which raises LateBodyError where the whole body has not come ``timeout_s`` from now.

    What comes after the body, that the client leaves, may take as long as it likes.
    """
    deadline: float | None = asyncio.get_running_loop().time() + timeout_s

    async def received() -> Message:
        nonlocal deadline
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise LateBodyError(f"the body did not arrive within {timeout_s:g} s") from None
        if not message.get("more_body", False):
            deadline = None
        return message

    return received
