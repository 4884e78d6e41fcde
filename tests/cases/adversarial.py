"""Messages made to cost as much as they can: each shape at any length, beside a plain one of the same length."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tidemill.contracts import Contract

TOPIC = "test.adversarial.v1"
MONEY = {"type": "number", "x-decimal": [18, 4]}
PROPERTIES: dict[str, Any] = {
    "text": {"type": "string"},
    "pattern": {"type": "string", "pattern": "^(a+)+$"},
    "alternatives": {"type": "string", "pattern": "^(a|a)*b|(a*)*c|.*.*.*=.*$"},
    "words": {"type": "array", "items": {"type": "string", "pattern": r"^(\w+\s?)*$"}},
    "time": {"type": "string", "format": "date-time"},
    "times": {"type": "array", "items": {"type": "string", "format": "date-time"}},
    "email": {"type": "string", "format": "email"},
    "uri": {"type": "string", "format": "uri"},
    "wholes": {"type": "array", "items": {"type": "integer", "maximum": 10**30}},
    "prices": {"type": "array", "items": {**MONEY, "multipleOf": 0.0001}},
    "doubles": {"type": "array", "items": {"type": "number"}},
    "map": {"type": "object", "additionalProperties": {"type": "number"}},
    "deep": {"type": "array", "items": {"type": "array", "items": {"type": "array", "items": MONEY}}},
    "some": {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "maxItems": 1000},
    "choice": {"type": "string", "enum": [f"value {number}" for number in range(100)]},
    "either": {"type": "array", "items": {"type": "integer", "anyOf": [{"minimum": 5}, {"multipleOf": 3}]}},
}
CONTRACT = Contract(TOPIC, "adversarial", ("text",), {"type": "object", "properties": PROPERTIES, "required": []})
ENVELOPE = {
    "specversion": "1.0",
    "id": "a",
    "source": "urn:test",
    "type": TOPIC,
    "time": "2011-12-01T08:26:00Z",
    "datacontenttype": "application/json",
    "dataschema": "urn:test",
}

Shape = Callable[[int], bytes]


def event(data: str) -> bytes:
    return json.dumps({**ENVELOPE, "data": 0}).replace('"data": 0', f'"data": {data}').encode()


def field(name: str, begin: str, repeated: str, end: str, separator: str = "") -> Shape:
    """An event with ``name`` of about so many bytes: ``repeated`` as often as it takes."""

    def shape(length: int) -> bytes:
        times = max(1, length // (len(repeated) + len(separator)))
        return event(f'{{"{name}": {begin}{separator.join([repeated] * times)}{end}}}')

    return shape


def array(name: str, item: str) -> Shape:
    return field(name, "[", item, "]", ",")


def raw(begin: bytes, repeated: bytes, end: bytes = b"") -> Shape:
    return lambda length: begin + repeated * max(1, length // len(repeated)) + end


def properties(name: Callable[[int], str], value: str) -> Shape:
    def shape(length: int) -> bytes:
        size = len(name(0)) + len(value) + 4
        return event("{" + ",".join(f'"{name(number)}":{value}' for number in range(length // size)) + "}")

    return shape


def numbered(name: str, length: int) -> bytes:
    return event(f'{{"{name}": [{",".join(json.dumps(str(number)) for number in range(length // 9))}]}}')


plain = field("text", '"', "a plain text of words, as they come ", '"')
nested = "[" * 90 + "]" * 90

SHAPES: Mapping[str, Shape] = {
    "a pattern that backtracks": field("pattern", '"', "a", '!"'),
    "alternatives that backtrack": field("alternatives", '"', "a", '!"'),
    "words of a pattern": array("words", '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"'),
    "a time of many digits": field("time", '"2024-05-01T00:00:00.', "1", 'Z"'),
    "a time of many signs": field("time", '"', "2024-", '"'),
    "many times": array("times", '"2024-05-01t00:00:00.123456789+23:59"'),
    "an address of many dots": field("email", '"', "a.", '@b"'),
    "an address of many signs": field("uri", '"a:', "%41", '"'),
    "digits up to the limit": array("doubles", "0." + "1" * 990),
    "digits beyond the limit": field("doubles", "[", "1", "]"),
    "digits of a float": array("doubles", "0.30000000000000004"),
    "digits of a price": array("prices", "1234.567800000000000"),
    "short prices": array("prices", "1.5"),
    "exponents up to the limit": array("doubles", "1e308"),
    "exponents of nothing": array("prices", "0e400"),
    "exponents of wholes": array("wholes", "1e18"),
    "exponents in an unknown field": array("more", "1e-400"),
    "wholes up to the limit": array("more", "9" * 308),
    "exponents beyond float64": array("doubles", "1e400"),
    "exponents beyond the limit": array("doubles", "1e-500000000"),
    "an exponent of many digits": field("doubles", "[1e", "0", "1]"),
    "nested as deep as may be": array("more", nested),
    "nested deeper": raw(b"", b"["),
    "brackets side by side": array("more", "[]"),
    "braces in a text": field("text", '"', "{[", '"'),
    "prices three deep": array("deep", "[[1.5],[2]]"),
    "escapes": field("text", '"', "\\u0061", '"'),
    "escaped quotes without an end": raw(b'{"a": 1e999, "', b'\\"'),
    "quotes without an end": raw(b'{"a": 1e999, ', b'"a" '),
    "backslashes": raw(b'{"a": 1e999, "', b"\\\\"),
    "digits in a text": field("text", '"', ":11111", '"'),
    "digits and points in a text": raw(b'{"a": 1e999, ', b"1.1.1."),
    "white space": raw(b"{", b" ", b"}"),
    "many names": properties(lambda number: f"{number:08}", "1"),
    "many names of numbers": properties(lambda number: f"{number:08}", "1.50000000000000000"),
    "one name many times": properties(lambda number: "name", "1"),
    "one name with numbers beyond the limit": properties(lambda number: "name", "1e999"),
    "many names of a map": lambda length: event(
        '{"map": {' + ",".join(f'"{number:08}":0.1' for number in range(length // 15)) + "}}"
    ),
    "a long name": field("text", '"", "', "n", '": 1'),
    "unique items, too many": lambda length: numbered("some", length),
    "a choice": field("choice", '"', "value ", '"'),
    "either of two": array("either", "7"),
    "neither of two": array("either", "4"),
    "wrong from the beginning": array("wholes", '""'),
    "wrong in its last item": field("either", "[", "7,", "4]"),
    "alternatives in the last item": field("either", "[", "9,", "1]"),
    "wrong at the end": field("text", '"', "a", '", "choice": 7'),
    "no JSON at the end": raw(b'{"a": "', b"a", b'"'),
    "bytes": raw(b'{"a": "', b"\xff"),
    "halves of pairs": field("text", '"', "\\ud800", '"'),
    "a long id": lambda length: event("{}").replace(b'"id": "a"', b'"id": "%s"' % (b"a" * length)),
    "a long type": lambda length: event("{}").replace(b'"type": "', b'"type": "%s' % (b"a" * length)),
    "a long time": lambda length: event("{}").replace(b"00Z", b"00.%sZ" % (b"1" * length)),
    "numbers in the envelope": lambda length: event("{}").replace(
        b"{", b'{"more": [%s], ' % b",".join([b"1e-400"] * (length // 7)), 1
    ),
}
