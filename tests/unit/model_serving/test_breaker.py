from model_serving.breaker import CircuitBreaker


def test_it_opens_at_the_last_of_the_failures_in_a_row() -> None:
    breaker = CircuitBreaker(3)

    states = []
    for _ in range(4):
        breaker.failed("no answer")
        states.append(breaker.is_open)

    assert states == [False, False, True, True]
    assert breaker.error == "no answer"


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = CircuitBreaker(2)

    breaker.failed("first")
    breaker.succeeded()
    breaker.failed("second")

    assert not breaker.is_open


def test_one_success_closes_it() -> None:
    breaker = CircuitBreaker(1)
    breaker.failed("away")

    breaker.succeeded()

    assert not breaker.is_open
    assert breaker.error is None
