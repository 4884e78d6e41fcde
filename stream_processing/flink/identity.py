"""The id of a result: the same for the same job, key and events, however often and wherever it is found."""

import uuid

NAMESPACE_TEXT = "tidemiLé-flink-"
NAMESPACE = uuid.UUID(bytes=NAMESPACE_TEXT.encode())
"""Flink's SHA1 hashes the UTF-8 of a text and no bytes, so the namespace is a UUID whose bytes are a text."""
BETWEEN_PARTS, BETWEEN_EVENTS = "\x1f", "\x1e"
ESCAPED = {"\x1b": "\x1b\x1b", BETWEEN_PARTS: "\x1bp", BETWEEN_EVENTS: "\x1be"}
"""What stands for a separator in a source or an id, where it separates nothing; first what all of these begin with."""
VARIANT = "89ab89ab89ab89ab"
"""The digit of a UUID that holds its variant, by the digit of the hash in its place (RFC 9562, 4.1)."""


def result_id(source: str, key: str, identities: list[str]) -> str:
    """The id of the result of ``source`` (a job's URN) for ``key`` that stands on the events of ``identities``.

    A UUIDv5 (RFC 9562, 5.5) of :data:`NAMESPACE`; their order does not matter. An identity is :func:`identity`.
    """
    return str(uuid.uuid5(NAMESPACE, _name(source, key, sorted(identities))))


def identity(source: str, event_id: str) -> str:
    """What names an event for ever: its source and its id in it; no other event has the same."""
    return f"{_escaped(source)}{BETWEEN_PARTS}{_escaped(event_id)}"


def _name(source: str, key: str, identities: list[str]) -> str:
    return BETWEEN_PARTS.join((source, key, BETWEEN_EVENTS.join(identities)))


def _escaped(part: str) -> str:
    for character, escaped in ESCAPED.items():
        part = part.replace(character, escaped)
    return part


def identity_sql(source: str, event_id: str) -> str:
    """:func:`identity` of two columns, in Flink SQL."""
    return f"CONCAT({_escaped_sql(source)}, {literal(BETWEEN_PARTS)}, {_escaped_sql(event_id)})"


def _escaped_sql(part: str) -> str:
    for character, escaped in ESCAPED.items():
        part = f"REPLACE({part}, {literal(character)}, {literal(escaped)})"
    return part


def hash_sql(source: str, key: str, identities: str) -> str:
    """In Flink SQL the hash that :func:`id_sql` makes an id of; ``identities`` is a sorted array."""
    before = literal(f"{NAMESPACE_TEXT}{source}{BETWEEN_PARTS}")
    joined = f"ARRAY_JOIN({identities}, {literal(BETWEEN_EVENTS)})"
    return f"SHA1(CONCAT({before}, {key}, {literal(BETWEEN_PARTS)}, {joined}))"


def id_sql(digest: str) -> str:
    """:func:`result_id` from the column ``digest``, which holds :func:`hash_sql`."""
    nibble = f"POSITION(SUBSTRING({digest} FROM 17 FOR 1) IN '0123456789abcdef')"
    parts = (
        f"SUBSTRING({digest} FROM 1 FOR 8), '-', SUBSTRING({digest} FROM 9 FOR 4), '-5'",
        f"SUBSTRING({digest} FROM 14 FOR 3), '-', SUBSTRING('{VARIANT}' FROM {nibble} FOR 1)",
        f"SUBSTRING({digest} FROM 18 FOR 3), '-', SUBSTRING({digest} FROM 21 FOR 12)",
    )
    return f"CONCAT({', '.join(parts)})"


def literal(text: str) -> str:
    """``text`` as a literal of Flink SQL, whatever characters it has."""
    if text.isascii() and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    units = text.encode("utf-16-be")
    pairs = (units[at : at + 2] for at in range(0, len(units), 2))
    return "U&'" + "".join(f"\\{int.from_bytes(pair):04x}" for pair in pairs) + "'"
