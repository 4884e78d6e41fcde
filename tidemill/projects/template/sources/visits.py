"""Simulated visits: a few hundred users, some of whom stop coming. Put your own in its place.

A source is a module with a function ``events``, which yields CloudEvents in the order they happened, the same at every
call: `tidemill produce source visits` sends them, checked against their contracts.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tidemill.contracts import contract, event

USERS = 400
DAYS = 180
PAGES = ("home", "search", "article", "settings", "help")


def events() -> Iterator[dict[str, Any]]:
    """The visits of the last days, up to the midnight before now."""
    visit, end = contract("app.visit.v1"), datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (end - timedelta(days=ago) for ago in range(DAYS, 0, -1)):
        visits = sorted(_visits(day), key=lambda made: made[0])
        for time, data in visits:
            yield event(visit, "urn:{{name}}:simulated", f"{data['user_id']} {time.isoformat()}", time, data)


def _visits(day: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    for number in range(USERS):
        user = Random(f"user {number}")
        habit, lost_after = user.uniform(0.1, 0.35), user.expovariate(1 / 1000)
        joined = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=user.uniform(0, 600))
        today = Random(f"user {number} on {day.date()}")
        # Who is lost comes back after a while, as another user would join: so the users stay as many.
        is_lost = ((day - joined).days % int(lost_after + 90)) > lost_after
        if today.random() > habit * (0.05 if is_lost else 1.0):
            continue
        yield (
            day + timedelta(seconds=today.randrange(86_400)),
            {
                "user_id": f"U{number:04d}",
                "page": today.choice(PAGES),
                "platform": user.choice(("web", "ios", "android")),
                "seconds": round(today.expovariate(1 / 120), 1),
                "referrer": today.choice((None, "search", "mail")),
            },
        )
