"""Two ways of reading are one: whatever the text, the quick and the exact way say the same; and both have limits."""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.tidemill.contracts.test_checker import GOOD, TOPIC
from tidemill.contracts import Event, Reason, checker
from tidemill.contracts.json_text import BeyondLimitsError, NotJsonError, parse, parse_array

# A number that only the exact way reads, so that the rest of the text is read that way too.
LONG = b'"long": 1.00000000000000000000'
NUMBERS = (
    *("0", "-0", "-0.0", "1", "2.0", "123456789012345", "0.1", "0.30000000000000004", "1e5", "1E-7", "1e22", "4e-324"),
    *("1234567890123456", "0.12345678901234567890", "18446744073709551616", "1e308", "-1e309", "1e-400", "9" * 308),
    *("1e401", "9" * 1001, "1e-500000000", "01", "1.", "-", "+1", ".5", "1e", "1e+", "NaN", "-Infinity", "0x1", "1_0"),
)
STRINGS = (
    '"a"',
    '"1e999"',
    '": 1e5"',
    '"\\u0061"',
    '"\\ud83d\\ude00"',
    '"\\ud800"',
    '"\\x"',
    '"\t"',
    '"é"',
    '"',
    '"\\"',
)
scalars = st.sampled_from([*NUMBERS, *STRINGS, "true", "null", "nul", "", "\ufeff", "\x0b1"])
texts = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(['"a"', '"b"', '"\\u0061"', "a", "1"]), inner), max_size=4).map(
            lambda items: "{" + ", ".join(f"{name} :{item}" for name, item in items) + "}"
        ),
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Equal types of JSON and equal values; a float is the number it is written as."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and list(one) == list(other) and all(same(one[name], other[name]) for name in one)
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool | str) or one is None:
        return type(one) is type(other) and bool(one == other)
    numbers = [Decimal(repr(number)) if isinstance(number, float) else Decimal(number) for number in (one, other)]
    return numbers[0] == numbers[1]


def outcome(text: bytes, read: Callable[[bytes], Any] = parse) -> Any:
    try:
        return read(text)
    except (NotJsonError, BeyondLimitsError) as error:
        return type(error)


@settings(max_examples=600)
@given(texts, st.integers(0, 10**6), st.binary(max_size=1))
@example("1e5", 0, b"\xff")
@example('"\\"', 3, b"")
def test_the_quick_and_the_exact_way_say_the_same(value: str, at: int, byte: bytes) -> None:
    whole = f'{{"value": {value}}}'.encode("utf-8", "surrogatepass")
    cut = at % len(whole)
    for text in (whole, whole[:cut] + byte + whole[cut + 1 :]):
        if text.startswith(b"{"):
            quick, exact = outcome(text), outcome(b"{" + LONG + b", " + text[1:])
            if isinstance(exact, dict):
                assert Decimal(exact.pop("long")) == 1
            if text.strip() == b"{}":
                continue
            assert quick is exact if isinstance(quick, type) else same(quick, exact), text


@settings(max_examples=300)
@given(st.lists(texts, max_size=3))
@example(["1.00000000000000000001"])
@example(["-12345678901234567890", "1e5"])
def test_the_items_of_an_array_are_what_each_is_by_itself(items: list[str]) -> None:
    separated = [f"[{','.join(items)}]", f"\n[ {' , '.join(items)} ]\t"]
    for text in separated:
        array = outcome(text.encode("utf-8", "surrogatepass"), parse_array)
        field = outcome(f'{{"items":{text}}}'.encode("utf-8", "surrogatepass"))
        assert array is field if isinstance(field, type) else same(array, field["items"])


def test_an_item_of_an_array_may_be_deeper_than_an_event_and_not_without_bound() -> None:
    deep = b"[" * 200 + b"]" * 200
    assert len(parse_array(b"[%s, 1]" % deep)) == 2
    for text in (b"[1.00000000000000000001, %s]" % deep, b"[" * 2_000 + b"]" * 2_000):
        assert outcome(text, parse_array) in (BeyondLimitsError, NotJsonError)


@given(st.randoms(use_true_random=False))
def test_an_event_is_the_same_however_it_was_read(rng: random.Random) -> None:
    field = rng.choice(sorted(GOOD["data"]))
    text = json.dumps({**GOOD, "data": {**GOOD["data"], field: 0}})
    numbers = [number for number in NUMBERS if outcome(number.encode()) not in (NotJsonError, BeyondLimitsError)]
    quick = text.replace(f'"{field}": 0', f'"{field}": {rng.choice([*numbers, "null", STRINGS[0]])}').encode()
    verdicts = [checker(TOPIC).read(value) for value in (quick, b"{" + LONG + b"," + quick[1:])]
    if isinstance(verdicts[0], Event):
        assert verdicts[0] == verdicts[1]
    else:
        assert not isinstance(verdicts[1], Event)
        assert verdicts[0].reason is verdicts[1].reason
        assert verdicts[0].detail.split(":")[0] == verdicts[1].detail.split(":")[0]


@pytest.mark.parametrize("text", [b'{"a": %s}', b'{"a": [1, {"b": %s}]}', b"[%s]", b"%s", b'{"data": {"c": [%s]}}'])
@pytest.mark.parametrize(
    "number",
    [
        b"1e-500000000",
        b"1e-401",
        b"-1E+309",
        b"9" * 309,
        b"9" * 1001,
        b"0." + b"0" * 1000 + b"1",
        b"1e-00000000000000401",
    ],
)
def test_a_number_beyond_the_limits_is_not_computed_but_named(text: bytes, number: bytes) -> None:
    with pytest.raises(BeyondLimitsError, match="beyond the limits: a number has at most 1,000 digits"):
        parse(text % number)


@pytest.mark.parametrize("number", [b"1e308", b"-1e-0000400", b"9" * 308, b"0." + b"1" * 999])
def test_a_number_within_the_limits_is_exact(number: bytes) -> None:
    assert Decimal(parse(b'{"a": %s}' % number)["a"]) == Decimal(number.decode())


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"id": 1e999}', ("id",)),
        (b'{"data": {"a": 1, "more": [0, {"x/y": 1e999}]}}', ("data", "more", 1, "x/y")),
        (b'{"a": "1e999", "b": 1e999, "c": 1e998}', ("b",)),
    ],
)
def test_the_place_of_a_number_beyond_the_limits_is_known(text: bytes, path: tuple[str | int, ...]) -> None:
    with pytest.raises(BeyondLimitsError) as beyond:
        parse(text)
    assert beyond.value.path == path


def test_a_number_that_a_later_key_replaces_does_not_count() -> None:
    assert parse(b'{"a": 1e-999, "a": 2.50}') == {"a": Decimal("2.5")}


def test_what_other_readers_of_json_stumble_over_is_refused_wherever_it_is() -> None:
    with pytest.raises(BeyondLimitsError, match="under a key that comes again"):
        parse(b'{"a": 1e999, "a": 2.50}')


@given(st.sampled_from(NUMBERS))
def test_what_is_read_is_read_by_other_readers_too(number: str) -> None:
    text = f'{{"a": {number}}}'.encode()
    if isinstance(outcome(text), dict):
        assert orjson.loads(text)


def test_a_number_beyond_the_limits_does_not_make_json_of_what_is_none() -> None:
    with pytest.raises(NotJsonError, match="line 1 column 14"):
        parse(b'{"a": 1e999, b}')


def test_depth_is_counted_in_brackets_that_are_no_text() -> None:
    deepest = b"[" * 99 + b'"' + b"[" * 500 + b'\\""' + b"]" * 99
    assert parse(b'{"a": %s}' % deepest)
    for deeper in (b'{"a": [%s]}', b'{"a": {"b": %s}}', b'{"a": [%s', b'{"a": [%s}'):
        with pytest.raises(BeyondLimitsError, match="nested deeper than 100 levels"):
            parse(deeper % deepest)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(parse(b'{"a": [%s]}' % b",".join([b"[{}]"] * 10_000))["a"]) == 10_000


def test_a_card_payment_of_next_to_nothing_is_refused_at_once() -> None:
    payment = {"transaction_id": "t", "customer_id": "c", "terminal_id": "k", "amount": 0, "currency": "EUR"}
    text = json.dumps({**GOOD, "type": "payment.card_transaction.v1", "data": payment})
    rejection = checker("payment.card_transaction.v1").check_bytes(
        text.replace('"amount": 0', '"amount": 1e-500000000').encode()
    )
    assert rejection is not None
    assert (rejection.reason, rejection.detail[:14]) == (Reason.UNREPRESENTABLE, "/data/amount: ")
