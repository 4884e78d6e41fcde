from monitoring.control.states import NEXT, OPEN, State, by_holder


def test_every_state_is_reached_from_a_request_and_every_open_one_can_end() -> None:
    reached = {State.REQUESTED}
    for _ in State:
        reached |= {after for before in reached for after in NEXT[before]}
    assert reached == set(State)
    assert all(any(after.is_finished for after in NEXT[state]) for state in OPEN)


def test_four_ends_and_none_is_left() -> None:
    ends = {state for state in State if state.is_finished}
    assert ends == {State.PROMOTED, State.REJECTED, State.FAILED, State.EXPIRED}
    assert not any(NEXT[state] for state in ends)


def test_nothing_is_promoted_that_was_not_gated() -> None:
    assert {before for before in State if State.PROMOTED in NEXT[before]} == {State.GATED, State.CANARY}


def test_only_what_nobody_took_expires() -> None:
    assert {before for before in State if State.EXPIRED in NEXT[before]} == {State.REQUESTED}


def test_who_holds_a_request_neither_claims_nor_expires_it() -> None:
    moves = {(before, after) for before in State for after in by_holder(before)}
    assert not {before for before, _ in moves} & {State.REQUESTED, State.EXPIRED}
    assert not {after for _, after in moves} & {State.REQUESTED, State.CLAIMED, State.EXPIRED}
