"""Who may write the states of a group: one at a time, and only while the store is the process that it was."""

import re
import secrets
from dataclasses import dataclass
from typing import Self

EPOCH = re.compile(rb"\d+")
BEGIN = """
local token = redis.call('GET', KEYS[1]) or ''
if token == ARGV[2] then return 1 end
if token ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
return 1
"""
"""Another epoch, in place of the token that was read."""

TAKE = """
local token = redis.call('GET', KEYS[1]) or ''
if token == ARGV[2] then return 1 end
if string.match(token, '^%d+') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
"""The next turn in the same epoch."""


@dataclass(frozen=True, slots=True)
class Fence:
    """One's turn to write states of ``epoch``: it lasts while the store has ``token``, and its process is ``run_id``.

    Each batch and each repair has a turn of its own, so what a task of an earlier one writes late is refused.
    """

    epoch: int
    token: str
    run_id: str

    @classmethod
    def new(cls, epoch: int, run_id: str) -> Self:
        return cls(epoch, f"{epoch}:{secrets.token_hex(8)}", run_id)


def epoch_of(token: bytes) -> int:
    """The epoch of a token, also of one of before turns; 0 for none."""
    found = EPOCH.match(token)
    return int(found.group()) if found else 0
