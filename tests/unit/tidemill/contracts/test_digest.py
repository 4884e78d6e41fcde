"""A digest is equal for equal instant and data, however they were written, and for nothing else."""

import hashlib
import json
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import json_documents
from tests.unit.tidemill.contracts.test_checker import GOOD, TOPIC
from tidemill.contracts import Checker, Contract, Event, checker

numbers = st.one_of(
    st.integers(-(10**25), 10**25).map(Fraction),
    st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12).map(Fraction),
    st.sampled_from(
        [Fraction(0), Fraction(1, 10), Fraction(2**63), Fraction(2**64), Fraction(10**20), Fraction(1, 10**30)]
    ),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from(json_documents.TEXTS), numbers),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abé"), inner, max_size=3),
    max_leaves=6,
)


def spelt(value: Any, rng: random.Random) -> str:
    """A value of JSON in one of its spellings."""
    space = rng.choice(("", " ", "\n\t"))
    if isinstance(value, Fraction):
        return json_documents.spelt(rng, value, 30)
    if isinstance(value, list):
        return f"[{space}{f',{space}'.join(spelt(item, rng) for item in value)}]"
    if isinstance(value, dict):
        items = [f"{json_documents.key(rng, name)}{space}: {spelt(item, rng)}" for name, item in value.items()]
        rng.shuffle(items)
        return f"{{{f' ,{space}'.join(items)}}}"
    return json.dumps(value, ensure_ascii=rng.random() < 0.5)


def identity(value: Any) -> Any:
    """What two values of JSON have in common only when they are equal: true is not 1."""
    if isinstance(value, list):
        return ["list", *map(identity, value)]
    if isinstance(value, dict):
        return {name: identity(item) for name, item in value.items()}
    return [type(value).__name__, value]


def digest_of(data: str, of: Callable[[], Checker] = lambda: checker(TOPIC), **envelope: Any) -> int:
    text = json.dumps({**GOOD, **envelope, "data": {**GOOD["data"], "more": 0}})
    event = of().read(text.replace('"more": 0', f'"more": {data}').encode())
    assert isinstance(event, Event), event
    return event.digest


@given(values, values, st.randoms(use_true_random=False))
def test_equal_data_have_equal_digests_and_others_have_others(one: Any, other: Any, rng: random.Random) -> None:
    assert digest_of(spelt(one, rng)) == digest_of(spelt(one, rng))
    is_equal = identity(one) == identity(other)
    assert (digest_of(spelt(one, rng)) == digest_of(spelt(other, rng))) == is_equal


@pytest.mark.parametrize(
    "spellings",
    [
        ("2", "2.0", "2e0", "0.2E+1", "2.00000000000000000000", "20000000000000000000000e-22"),
        ("0", "-0", "-0.0", "0e400", "0.00000000000000000000"),
        ("0.1", "0.10", "1e-1", "0.100000000000000000000000"),
        ("1e20", "100000000000000000000", "100000000000000000000.0"),
        ("0.10000000000000000000000001", "10000000000000000000000001e-26"),
        ('{"a": 1, "b": "é"}', '{ "b":"\\u00e9","a":1.0}', '{"a": 7, "b": "\\u00E9", "a": 1}'),
    ],
)
def test_spellings_of_one_value_have_one_digest(spellings: tuple[str, ...]) -> None:
    assert len({digest_of(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    "different",
    [
        ("0.1", "0.10000000000000001", "0.1000000000000000055511151231257827021181583404541015625"),
        ("9007199254740992", "9007199254740993", "9007199254740992.5"),
        ("1", "true", '"1"', "[1]", "null", "{}", "[]"),
        ("1e308", "1e307", "-1e308", "1e-400", "1e-399"),
        ('"2.0,"', '"2,"', '"2.00,"'),
        ("[1, 2]", "[2, 1]", "[[1], 2]"),
        ('"e\\u0301"', '"é"'),
    ],
)
def test_values_that_differ_have_digests_that_differ(different: tuple[str, ...]) -> None:
    assert len({digest_of(text) for text in different}) == len(different)


def test_the_instant_counts_and_its_spelling_does_not() -> None:
    assert digest_of("1", time="2011-12-01T08:26:00Z") == digest_of("1", time="2011-12-01t09:26:00.0000009+01:00")
    assert digest_of("1", time="2011-12-01T08:26:00Z") != digest_of("1", time="2011-12-01T08:26:00.000001Z")


def test_the_rest_of_the_envelope_does_not_count() -> None:
    assert digest_of("1", id="b", source="urn:other", dataschema="urn:another", more=[1.5]) == digest_of("1")


def test_another_contract_changes_no_digest() -> None:
    anything = Contract(TOPIC, "t", ("order_id",), {"properties": {"more": {"type": "number"}}, "required": []})
    assert digest_of("2.50", lambda: Checker(anything)) == digest_of("2.5")


def test_the_digest_is_that_of_a_text_that_stays() -> None:
    """Silver holds digests: whoever changes the canonical text, be it a library, makes conflicts of old duplicates."""
    data = (
        '{"z": [2.0, 0.1, 0.00001, 1e-6, 1e-7, 1.5e300, 1e22, -0.0, 3e-30, 1234567890123456789012.5], "a\u00e9": null}'
    )
    text = '{"a\u00e9":null,"z":[2,0.1,0.00001,1e-6,1e-7,15e299,1e22,0,3e-30,12345678901234567890125e-1]}'
    said = hashlib.blake2b(text.encode() + b"1322727960000000", digest_size=8).digest()
    event = Checker(Contract(TOPIC, "t", (), {"properties": {}, "required": []})).read(
        json.dumps({**GOOD, "data": 0}).replace('"data": 0', f'"data": {data}').encode()
    )
    assert isinstance(event, Event)
    assert event.digest == int.from_bytes(said, "big", signed=True)
