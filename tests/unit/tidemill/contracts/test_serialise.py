"""What the producer makes of Python's values: the JSON that says exactly them, or the sentence that says why not."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases.broken import Away
from tests.unit.tidemill.contracts.test_checker import GOOD, JSON, TOPIC, changed
from tidemill.contracts import Reason, Rejection, checker
from tidemill.contracts.checker import Message


class Silent:
    """An object of which nothing can be said."""

    def __repr__(self) -> str:
        raise OSError

    __str__ = __repr__


class Unspoken(Exception):  # noqa: N818
    """An error of which nothing can be said."""

    def __str__(self) -> str:
        raise OSError


class Torn(tuple[int]):
    """A sequence that breaks off."""

    def __iter__(self) -> Iterator[int]:
        raise Unspoken


class Mute(str):
    """A text that does not print."""

    def __str__(self) -> str:
        raise OSError


class Sized(Decimal):
    """A number that does not know whether it is finite."""

    def is_finite(self) -> bool:
        raise OSError


class Stubborn(str):
    """A text that does not let itself be compared."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise OSError


class Both(Enum):
    PAIR = (1, 2)


def encoded(**data: Any) -> bytes:
    message = checker(TOPIC).encode(changed(**data))
    assert not isinstance(message, Rejection), message
    return message.value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(Decimal("1.10"), "1.10", id="a decimal keeps its digits"),
        pytest.param(Decimal("1E+2"), "1E+2", id="a decimal with an exponent"),
        pytest.param(Decimal("0.3333333333333333333333333333333333333333"), f"0.{'3' * 40}", id="a long decimal"),
        pytest.param(2**64, "18446744073709551616", id="65 bits"),
        pytest.param(-(10**300), f"-1{'0' * 300}", id="301 digits"),
        pytest.param(0.1 + 0.2, "0.30000000000000004", id="a float of 17 digits"),
        pytest.param(np.float64(0.5), "0.5", id="a float of numpy"),
        pytest.param(np.float32(0.1), "0.10000000149011612", id="a float of numpy's 32 bits, every digit"),
        pytest.param([np.float16(0.5), 2**70], "[0.5,1180591620717411303424]", id="numpy's 16 bits, beside 71"),
        pytest.param(np.int64(-5), "-5", id="a whole number of numpy"),
        pytest.param(
            [np.uint64(2**64 - 1), 2**70], "[18446744073709551615,1180591620717411303424]", id="numpy's uint64"
        ),
        pytest.param([np.True_, np.False_, None], "[true,false,null]", id="booleans of numpy"),
        pytest.param({np.str_("k"): np.str_("v")}, '{"k":"v"}', id="texts of numpy"),
        pytest.param((1, 2), "[1,2]", id="a tuple"),
        pytest.param([Both.PAIR, 2**70], "[[1,2],1180591620717411303424]", id="an enum of a pair, beside 71 bits"),
        pytest.param(
            [Mute("a"), 2**70], '["a",1180591620717411303424]', id="a text that does not print, by its characters"
        ),
        pytest.param(MappingProxyType({"a": [Decimal("2.0")]}), '{"a":[2.0]}', id="a mapping"),
        pytest.param([None, 2**70], "[null,1180591620717411303424]", id="null beside 71 bits"),
    ],
)
def test_a_value_is_written_exactly(value: Any, written: str) -> None:
    assert f'"more":{written}}}' in encoded(more=value).decode()


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (float("nan"), Reason.NOT_JSON, "/data/more: nan is no number in JSON"),
        ([1, float("-inf")], Reason.NOT_JSON, "/data/more/1: -inf is no number in JSON"),
        (np.float64("nan"), Reason.NOT_JSON, "/data/more: nan is no number in JSON"),
        (Decimal("NaN"), Reason.NOT_JSON, "/data/more: NaN is no number in JSON"),
        (Decimal("sNaN"), Reason.NOT_JSON, "/data/more: sNaN is no number in JSON"),
        ({"a": "x\ud800"}, Reason.NOT_JSON, "/data/more/a: has half a surrogate pair at character 1"),
        ({"\udfff": 1}, Reason.NOT_JSON, "/data/more: has half a surrogate pair at character 0"),
        ({1: 1}, Reason.NOT_JSON, "/data/more: the key 1 is no text"),
        ({1, 2}, Reason.NOT_JSON, "/data/more: a set has no one form in JSON"),
        (np.float32("nan"), Reason.NOT_JSON, "/data/more: nan is no number in JSON"),
        ([np.timedelta64(5, "s")], Reason.NOT_JSON, "/data/more/0: a timedelta64 has no one form in JSON"),
        ([np.timedelta64(5, "ns")], Reason.NOT_JSON, "/data/more/0: a timedelta64 has no one form in JSON"),
        ([np.datetime64(5, "ns")], Reason.NOT_JSON, "/data/more/0: a datetime64 has no one form in JSON"),
        ([np.array([1])], Reason.NOT_JSON, "/data/more/0: a ndarray has no one form in JSON"),
        ([np.longdouble(1)], Reason.NOT_JSON, "/data/more/0: a longdouble has no one form in JSON"),
        pytest.param(
            {"a": Away()}, Reason.NOT_JSON, "/data/more/a: a Away cannot be read: OSError: gone", id="a mapping"
        ),
        pytest.param({Silent(): 1}, Reason.NOT_JSON, "/data/more: a dict cannot be read: OSError", id="a key"),
        pytest.param([Silent()], Reason.NOT_JSON, "/data/more/0: a Silent has no one form in JSON", id="an object"),
        pytest.param([Torn([1])], Reason.NOT_JSON, "/data/more/0: a Torn cannot be read: tests.", id="an iteration"),
        pytest.param([Sized("1")], Reason.NOT_JSON, "/data/more/0: a Sized cannot be read: OSError", id="a decimal"),
        (b"bytes", Reason.NOT_JSON, "/data/more: a bytes has no one form in JSON"),
        (datetime(2024, 5, 1, tzinfo=UTC), Reason.NOT_JSON, "/data/more: a datetime has no one form in JSON"),
        (date(2024, 5, 1), Reason.NOT_JSON, "/data/more: a date has no one form in JSON"),
        pytest.param(10**309, Reason.UNREPRESENTABLE, "/data/more: 10000", id="310 digits"),
        pytest.param(10**1_000, Reason.UNREPRESENTABLE, "/data/more: 10000", id="1,001 digits"),
        pytest.param(10**9_999, Reason.UNREPRESENTABLE, "/data/more: a whole number has more than", id="10,000 digits"),
        (Decimal("1e-500000000"), Reason.UNREPRESENTABLE, "/data/more: 1E-500000000 is beyond the limits"),
    ],
)
def test_a_value_that_cannot_be_written_is_named_with_its_cause(value: Any, reason: Reason, detail: str) -> None:
    message = checker(TOPIC).encode(changed(more=value))
    assert isinstance(message, Rejection)
    assert message.reason is reason
    assert message.detail.startswith(detail)


def test_nan_is_not_sent_where_null_would_be_valid() -> None:
    message = checker(TOPIC).encode(changed(customer_id=float("nan"), description=None))
    assert isinstance(message, Rejection)
    assert message.detail == "/data/customer_id: nan is no number in JSON"


def test_an_event_that_cannot_be_read_is_a_rejection_as_a_whole() -> None:
    message = checker(TOPIC).encode(Away())
    assert message == Rejection(Reason.NOT_JSON, ": a Away cannot be read: OSError: gone")


def test_a_text_that_cannot_be_compared_is_sent_beside_a_null() -> None:
    assert '"more":["a",null]}' in encoded(more=[Stubborn("a"), None]).decode()


def test_a_list_within_itself_is_a_rejection() -> None:
    endless: list[Any] = []
    endless.append(endless)
    message = checker(TOPIC).encode(changed(more=endless))
    assert isinstance(message, Rejection)
    assert message.reason is Reason.UNREPRESENTABLE


@given(st.sampled_from(sorted(GOOD["data"])), st.none() | JSON, JSON)
def test_an_event_is_judged_like_the_text_that_another_writer_makes_of_it(field: str, value: Any, more: Any) -> None:
    """Python's ``json`` writes NaN, which is no JSON, where orjson writes null."""
    event = changed(**{field: value, "description": None, "more": more})
    message, lake = checker(TOPIC).encode(event), checker(TOPIC).read(json.dumps(event).encode())
    if isinstance(lake, Rejection):
        assert isinstance(message, Rejection)
        assert message.reason is lake.reason
    else:
        assert isinstance(message, Message), message
        assert checker(TOPIC).read(message.value) == lake


@pytest.mark.parametrize("event", [None, "text", 17, [], {}, object(), {"data": {"quantity": Decimal(1)}}])
def test_what_is_no_event_is_a_rejection(event: Any) -> None:
    assert isinstance(checker(TOPIC).encode(event), Rejection)


def test_a_price_between_two_cents_of_the_lake_is_refused_before_it_is_sent() -> None:
    message = checker(TOPIC).encode(changed(unit_price=0.1 + 0.2))
    assert message == Rejection(
        Reason.UNREPRESENTABLE, "/data/unit_price: 0.30000000000000004 does not fit DECIMAL(18,4)"
    )


@pytest.mark.parametrize("price", [Decimal("1.10"), Decimal("11e-1"), 1.1, np.float64(1.1)])
def test_a_price_may_be_a_decimal_or_a_float(price: Any) -> None:
    assert json.loads(encoded(unit_price=price), parse_float=Decimal)["data"]["unit_price"] == Decimal("1.1")


@pytest.mark.parametrize(
    "data", [{"unit_price": Decimal("NaN")}, {"quantity": 2**70}, {"more": "\ud800"}, {"more": 2**70}, {}]
)
def test_the_judge_of_the_document_is_the_judge_of_its_bytes(data: Mapping[str, Any]) -> None:
    message = checker(TOPIC).encode(changed(**data))
    if isinstance(message, Rejection):
        assert checker(TOPIC).check(changed(**data)) == message
    else:
        assert checker(TOPIC).check_bytes(message.value) is None
