"""Contracts and documents made at random, with what silver must hold of each: by fractions, not by the code under test.

Numbers are written in every way JSON has, near the edges of the columns' types, at any depth of arrays and maps.
"""

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

from tidemill.contracts import Contract

NAMES = ("reason", "detail", "key", "value", "partition", "order-id", "größe", "plain", "more", "another")
EDGES = (2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**18, 10**38, 0, 1, 19, 15)
TEXTS = ("", "x", "naïve \u0000 \U0001f600", '"\\/\b\n', "null", "2.0,", "[1e5]", "e\u0301")


@dataclass(frozen=True)
class Sent:
    """A value as text, what it says, and whether its column can hold it."""

    text: str
    value: Any
    fits: bool


def contract_of(rng: random.Random, names: Sequence[str] = NAMES) -> Contract:
    """A contract with a property of each of ``names``."""
    properties = {name: schema(rng, 3) for name in names}
    return Contract("test", "tests", (names[0],), {"type": "object", "properties": properties, "required": []})


def schema(rng: random.Random, depth: int) -> dict[str, Any]:
    """A property, nested at most ``depth`` deep."""
    kind = rng.choice(("integer", "number", "decimal", "string", "time", "boolean", *("array", "map") * (depth > 0)))
    made: dict[str, Any] = {"type": kind}
    if kind == "decimal":
        precision = rng.randint(1, 38)
        made = {"type": "number", "x-decimal": [precision, rng.randint(0, precision)]}
    elif kind == "time":
        made = {"type": "string", "format": "date-time"}
    elif kind == "array":
        made["items"] = schema(rng, depth - 1)
    elif kind == "map":
        made = {"type": "object", "additionalProperties": schema(rng, depth - 1)}
    if rng.random() < 0.3:
        made["type"] = [made["type"], "null"]
    return made


def data(rng: random.Random, properties: Mapping[str, Any], share: float = 0.8) -> Sent:
    """The data of an event: a ``share`` of the contract's fields, and one that it does not know."""
    fields = {name: value(rng, properties[name]) for name in properties if rng.random() < share}
    unknown = number(rng)
    sent = {**fields, "unknown": Sent(unknown, None, math.isfinite(float(unknown)))}
    names = list(sent)
    rng.shuffle(names)
    text = ", ".join(f"{key(rng, name)}: {sent[name].text}" for name in names)
    values = {name: field.value for name, field in fields.items()}
    return Sent(f"{{{text}}}", values, all_fit(sent.values()))


def value(rng: random.Random, of: Mapping[str, Any]) -> Sent:
    """A value of a property, as often as not one that only just fits, or only just does not."""
    kinds = of["type"] if isinstance(of["type"], list) else [of["type"]]
    if "null" in kinds and rng.random() < 0.2:
        return Sent("null", None, True)
    kind = kinds[0]
    if kind == "boolean":
        return rng.choice((Sent("true", True, True), Sent("false", False, True)))
    if kind == "array":
        items = [value(rng, of["items"]) for _ in range(rng.randint(0, 3))]
        return Sent(f"[{','.join(item.text for item in items)}]", [item.value for item in items], all_fit(items))
    if kind == "object":
        named = {f"k{number}": value(rng, of["additionalProperties"]) for number in range(rng.randint(0, 3))}
        text = ",".join(f"{key(rng, name)}:{item.text}" for name, item in named.items())
        return Sent(f"{{{text}}}", {name: item.value for name, item in named.items()}, all_fit(named.values()))
    if kind == "string":
        return time(rng) if "format" in of else text_of(rng)
    return number_of(rng, of, kind)


def all_fit(values: Any) -> bool:
    return all(item.fits for item in values)


def text_of(rng: random.Random) -> Sent:
    said = "".join(rng.choice(TEXTS) for _ in range(rng.randint(0, 3)))
    return Sent(json.dumps(said, ensure_ascii=rng.random() < 0.5), said, True)


def key(rng: random.Random, name: str) -> str:
    """A name in quotes; now and then its first character as an escape."""
    return f'"\\u{ord(name[0]):04x}{name[1:]}"' if rng.random() < 0.2 else f'"{name}"'


def number_of(rng: random.Random, of: Mapping[str, Any], kind: str) -> Sent:
    text = number(rng)
    said = Fraction(text)
    if kind == "integer":
        while said.denominator != 1:
            text = number(rng)
            said = Fraction(text)
        return Sent(text, Decimal(text), -(2**63) <= said < 2**63)
    if "x-decimal" in of:
        precision, scale = of["x-decimal"]
        units = said * 10**scale
        return Sent(text, Decimal(text), units.denominator == 1 and abs(units) < 10**precision)
    return Sent(text, Decimal(text), is_shortened(float(text), Decimal(text)))


def is_shortened(nearest: float, sent: Decimal) -> bool:
    """Whether ``nearest``, rounded to as many significant digits as were sent, is the number that was sent."""
    digits = len(sent.as_tuple().digits)
    rounded = Context(prec=digits, rounding=ROUND_HALF_EVEN, Emin=-9999, Emax=9999).plus(Decimal(nearest))
    return rounded == sent


def number(rng: random.Random) -> str:
    """A number in one of its spellings."""
    match rng.randint(0, 5):
        case 0:
            return spelt(rng, Fraction(rng.choice(EDGES)), 0)
        case 1:
            return repr(rng.choice((rng.random(), rng.gauss(0, 1e6), 0.1 + 0.2, 5e-324, 1.7976931348623157e308)))
        case 2:
            return f"{rng.gauss(0, 100):.{rng.randint(1, 25)}{rng.choice('ge')}}"
        case 3:
            return f"{rng.choice(('', '-'))}{rng.randint(0, 9)}e{rng.choice(('', '+', '-'))}{rng.randint(0, 40)}"
        case 4:
            return f"1e-{rng.randint(300, 400)}"
    scale = rng.randint(0, 24)
    return spelt(rng, Fraction(rng.randint(-(10 ** rng.randint(1, 24)), 10 ** rng.randint(1, 24)), 10**scale), scale)


def spelt(rng: random.Random, said: Fraction, scale: int) -> str:
    """The number with ``scale`` decimals and more zeros, or with an exponent."""
    more = scale + rng.choice((0, 0, 1, 5))
    units = int(said * 10**more)
    if rng.random() < 0.3:
        return f"{units}{rng.choice('eE')}-{more}"
    digits = f"{abs(units):0{more + 1}}"
    point = len(digits) - more
    return f"{'-' * (units < 0)}{digits[:point]}{'.' + digits[point:] if more else ''}"


def time(rng: random.Random) -> Sent:
    """A time in RFC 3339: any year, any zone, any number of digits, upper or lower case; or a leap second."""
    if rng.random() < 0.05:
        return Sent(f'"{rng.choice((1972, 2016))}-12-31T23:59:60Z"', None, False)
    local = datetime(rng.choice((1, 1582, 1900, 1970, 2024, 9999)), 1, 1) + timedelta(seconds=rng.randrange(31_000_000))
    fraction = "".join(rng.choice("0123456789") for _ in range(rng.choice((0, 1, 3, 6, 9, 20))))
    minutes = rng.choice((0, 0, 60, -330, 1439, -1439))
    zone = "Z" if minutes == 0 else f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    text = f"{local:%m-%dT%H:%M:%S}{'.' * bool(fraction)}{fraction}{zone}"
    written = f'"{local.year:04}-{text.lower() if rng.random() < 0.3 else text}"'
    try:
        instant = local.replace(microsecond=int(fraction[:6].ljust(6, "0") or 0)) - timedelta(minutes=minutes)
    except OverflowError:
        return Sent(written, None, False)
    return Sent(written, instant.replace(tzinfo=UTC), True)


def agrees(stored: Any, sent: Any) -> bool:
    """Whether what a table holds is what was sent; a float64 stands for a number as :func:`is_shortened` says."""
    if isinstance(sent, dict):
        held = dict(stored) if stored is not None else {}
        return held.keys() == sent.keys() and all(agrees(held[name], item) for name, item in sent.items())
    if isinstance(sent, list):
        return len(stored) == len(sent) and all(map(agrees, stored, sent))
    if isinstance(sent, Decimal):
        return is_shortened(stored, sent) if isinstance(stored, float) else Decimal(stored) == sent
    return bool(stored == sent) and type(stored) is type(sent)
