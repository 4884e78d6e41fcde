"""Cron expressions as the schedules take them: what is accepted here, Airflow's croniter accepts too."""

import re
from dataclasses import dataclass

PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
"""Airflow's own; its others mean no time of day."""
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, in a leap year."""
_PART = re.compile(r"(\*|(?P<first>\w+)(-(?P<last>\w+))?)(/(?P<step>\d+))?")


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: str = "(?!)"
    """A pattern of what only this field may say."""

    def values(self, text: str) -> set[int]:
        """The numbers that ``text`` means; what is special is any number of the field."""
        found: set[int] = set()
        for part in text.lower().split(","):
            found |= set(range(self.low, self.high + 1)) if re.fullmatch(self.special, part) else self._of(part)
        return found

    def _of(self, part: str) -> set[int]:
        parsed = _PART.fullmatch(part)
        if parsed is None:
            raise ValueError(f"{part!r} is no {self.name}")
        step = int(parsed["step"] or 1)
        first = self.low if parsed["first"] is None else self._number(parsed["first"])
        is_single = parsed["first"] is not None and parsed["step"] is None
        last = self._number(parsed["last"]) if parsed["last"] else first if is_single else self.high
        if not 1 <= step <= self.high or first > last:
            raise ValueError(f"{part!r} is no range of {self.name}s")
        return set(range(first, last + 1, step))

    def _number(self, text: str) -> int:
        if text in self.names:
            return self.low + self.names.index(text)
        number = int(text) if text.isdecimal() and text.isascii() else -1
        if not self.low <= number <= self.high:
            raise ValueError(f"{text!r} is no {self.name}: {self.low} to {self.high}")
        return number


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31, special="l"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS, special="[0-7]#[1-5]"),
)


def checked(expression: str) -> str:
    """``expression``, which is a preset or has five fields: minute, hour, day of the month, month, day of the week.

    Raises:
        ValueError: it is no cron expression, or no day is ever one of its days.
    """
    if expression in PRESETS:
        return expression
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        presets = ", ".join(PRESETS)
        raise ValueError(f"must be a cron expression of five fields, such as '30 4 * * *', or one of {presets}")
    days, months = [of.values(text) for of, text in zip(_FIELDS, texts, strict=True)][2:4]
    weekdays = texts[4].split(",")
    if "#" in texts[4] and (texts[2] != "*" or not all("#" in part for part in weekdays)):
        raise ValueError("a day such as '1#2' goes with others of that form alone: write '*' as day of the month")
    if "*" in weekdays and all(min(days) > LONGEST[month - 1] for month in months):
        raise ValueError("no month of these has such a day")
    return expression
