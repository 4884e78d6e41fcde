"""What is known of states outside of them."""

import hashlib
import json
import struct

import numpy as np

from feature_store.states.fence import Fence, epoch_of
from feature_store.states.known import BUCKETS, Known, digest_of
from feature_store.states.ledger import CHANGE, Ledger


def test_an_entry_says_what_was_written_and_one_of_before_digests_is_none() -> None:
    known = Known(7, 3, 2, digest_of(b"a state"))
    assert Known.load(known.dump()) == known
    assert Known.load(struct.pack("<qqq", 7, 3, 2)) is None


def test_the_digest_is_what_redis_computes() -> None:
    assert digest_of(b"a state") == bytes.fromhex(hashlib.sha1(b"a state").hexdigest()[:16])  # noqa: S324


def test_each_turn_has_another_token_of_the_same_epoch() -> None:
    tokens = {Fence.new(12, "a server").token for _ in range(100)}
    assert len(tokens) == 100
    assert {epoch_of(token.encode()) for token in tokens} == {12}
    assert epoch_of(b"12") == 12  # of before turns
    assert epoch_of(b"") == 0


def test_a_ledger_says_which_commit_it_has_come_to_and_one_of_before_does_not() -> None:
    empty = Ledger.empty("a table", 7, 3)
    ledger = empty.after(np.zeros(0, dtype=CHANGE), 4, 0, "the fourth")
    loaded = Ledger.load(ledger.dump())
    assert (loaded.version, loaded.commit, loaded.number) == (4, "the fourth", 1)
    content = json.loads(ledger.dump())
    del content["commit"]
    assert Ledger.load(json.dumps(content)).commit is None
    assert len(loaded.counts) == BUCKETS
