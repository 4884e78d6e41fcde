"""The order of events of equal time: XXH64 of what identifies them, chained over the columns from seed 42.

Source: the xxHash specification, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, "XXH64 algorithm".
"""

from collections.abc import Iterator, Sequence

MASK = (1 << 64) - 1
PRIME_1, PRIME_2, PRIME_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
PRIME_4, PRIME_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
SEED = 42
STRIPE = 32


def identity_hash(identity: Sequence[str | None]) -> int:
    """The hash of the first value is the seed of the next; a null leaves it as it is."""
    result = SEED
    for value in identity:
        if value is not None:
            result = xxh64(value.encode(), result)
    return result


def xxh64(data: bytes, seed: int) -> int:
    whole = len(data) - len(data) % STRIPE
    accumulator = _stripes(data[:whole], seed) if whole else (seed + PRIME_5) & MASK
    return _avalanche(_rest(data[whole:], (accumulator + len(data)) & MASK))


def _stripes(data: bytes, seed: int) -> int:
    lanes = [(seed + PRIME_1 + PRIME_2) & MASK, (seed + PRIME_2) & MASK, seed & MASK, (seed - PRIME_1) & MASK]
    for number, word in enumerate(_words(data, 8)):
        lanes[number % 4] = _round(lanes[number % 4], word)
    accumulator = sum(_rotated(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
    for lane in lanes:
        accumulator = ((accumulator ^ _round(0, lane)) * PRIME_1 + PRIME_4) & MASK
    return accumulator


def _rest(data: bytes, accumulator: int) -> int:
    """What is left of the input: words of eight bytes, then one of four, then single bytes."""
    whole = len(data) - len(data) % 8
    for word in _words(data[:whole], 8):
        accumulator = (_rotated(accumulator ^ _round(0, word), 27) * PRIME_1 + PRIME_4) & MASK
    data = data[whole:]
    if len(data) >= 4:
        word = int.from_bytes(data[:4], "little")
        accumulator = (_rotated(accumulator ^ (word * PRIME_1) & MASK, 23) * PRIME_2 + PRIME_3) & MASK
        data = data[4:]
    for byte in data:
        accumulator = (_rotated(accumulator ^ (byte * PRIME_5) & MASK, 11) * PRIME_1) & MASK
    return accumulator


def _words(data: bytes, size: int) -> Iterator[int]:
    return (int.from_bytes(data[begin : begin + size], "little") for begin in range(0, len(data), size))


def _round(accumulator: int, word: int) -> int:
    return (_rotated((accumulator + word * PRIME_2) & MASK, 31) * PRIME_1) & MASK


def _rotated(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & MASK


def _avalanche(value: int) -> int:
    value = ((value ^ (value >> 33)) * PRIME_2) & MASK
    value = ((value ^ (value >> 29)) * PRIME_3) & MASK
    return value ^ (value >> 32)
