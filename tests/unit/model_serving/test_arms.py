"""Whose answer an entity gets: its own arm, as long as the rollout lasts."""

import hashlib
import itertools
import math

import pytest

from model_serving.arms import is_drawn, salt_of

ENTITIES = [f"customer-{number}" for number in range(20_000)]
SALT = salt_of("churn", "run-1", "m-1")


def drawn(share: int, salt: bytes = SALT) -> set[str]:
    return {entity for entity in ENTITIES if is_drawn(salt, entity, share)}


def test_who_is_in_a_share_stays_in_when_it_grows() -> None:
    shares = [drawn(share) for share in (0, 1, 10, 50, 99, 100)]

    assert all(smaller < larger for smaller, larger in itertools.pairwise(shares))
    assert (shares[0], shares[-1]) == (set(), set(ENTITIES))


@pytest.mark.parametrize("share", [1, 10, 50, 90])
def test_the_share_is_what_drawing_each_entity_by_itself_would_give(share: int) -> None:
    expected = len(ENTITIES) * share / 100
    four_deviations = 4 * math.sqrt(expected * (1 - share / 100))

    assert len(drawn(share)) == pytest.approx(expected, abs=four_deviations)


@pytest.mark.parametrize("other", [("churn", "run-1", "m-2"), ("churn", "run-2", "m-1"), ("fraud", "run-1", "m-1")])
def test_another_challenger_draws_others(other: tuple[str, str, str]) -> None:
    """Of two tenths that know nothing of each other a hundredth is in both."""
    both = len(drawn(10) & drawn(10, salt_of(*other)))

    expected = len(ENTITIES) * 0.01
    assert both == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_the_draw_is_blake2b_of_the_id_so_that_every_server_and_every_start_draws_the_same() -> None:
    salt = hashlib.blake2b(b"churn\0run-1\0m-1", digest_size=32).digest()
    point = int.from_bytes(hashlib.blake2b("Zoë".encode(), digest_size=8, key=salt).digest(), "big") / 2**64

    below, above = math.floor(point * 100), math.floor(point * 100) + 1
    assert (is_drawn(SALT, "Zoë", below), is_drawn(SALT, "Zoë", above)) == (False, True)


def test_the_names_of_a_salt_do_not_run_together() -> None:
    assert salt_of("churn", "run-1", "m") != salt_of("churn", "run-", "1m")
