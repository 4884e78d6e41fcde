"""The rules of retrain requests as plain Python, one at a time: what the control store is compared with.

Written from `docs/closed-loop.md`, and knows no database.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

ALLOWED = {
    ("claimed", "trained"),
    ("trained", "gated"),
    ("gated", "canary"),
    ("gated", "promoted"),
    ("canary", "promoted"),
    *((state, end) for state in ("claimed", "trained", "gated", "canary") for end in ("rejected", "failed")),
}
WORKED = ("promoted", "rejected", "failed")
ENDS = (*WORKED, "expired")
DAY = timedelta(hours=24)


class RefusedError(Exception):
    """The reason in one word: lost, conflict."""


@dataclass
class NaiveRequest:
    use_case: str
    key: str
    requested_at: datetime
    is_person: bool = False
    policy: str = ""
    state: str = "requested"
    asked: int = 1
    asked_again_at: datetime | None = None
    token: int = 0
    holder: str | None = None
    claimed_at: datetime | None = None
    duration: timedelta = timedelta()
    finished_at: datetime | None = None
    trail: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.state not in ENDS

    def is_free(self, now: datetime) -> bool:
        """A lease holds from its duration before the claim until its duration after it."""
        if self.holder is None or self.claimed_at is None:
            return True
        return not self.claimed_at - self.duration <= now < self.claimed_at + self.duration

    def move(self, actor: str, to: str, now: datetime) -> None:
        self.state = to
        self.trail.append((actor, to))
        if not self.is_open:
            self.finished_at, self.holder = now, None


class NaiveRequests:
    """All requests, oldest first, and how many asks were refused for which reason."""

    def __init__(self, cool_down: timedelta, per_day: int) -> None:
        self.cool_down, self.per_day = cool_down, per_day
        self.requests: list[NaiveRequest] = []
        self.suppressed: list[str] = []

    def ask(self, asked: NaiveRequest, actor: str, now: datetime) -> None:
        use_case, key, is_person = asked.use_case, asked.key, asked.is_person
        for request in self.requests:
            if (request.use_case, request.key) == (use_case, key) and request.is_open:
                if asked.policy not in {"", request.policy}:
                    raise RefusedError("conflict")
                request.asked += 1
                request.asked_again_at = now
                if is_person:
                    request.trail.append((actor, request.state))
                return
        if not is_person and (why := self._refusal(use_case, now)):
            self.suppressed.append(why)
            return
        asked.trail.append((actor, "requested"))
        self.requests.append(asked)

    def _refusal(self, use_case: str, now: datetime) -> str | None:
        of_it = [request for request in self.requests if request.use_case == use_case]
        if any(made.is_open and not made.is_person for made in of_it):
            return "open"
        worked = [made for made in of_it if made.state in WORKED]
        own = [(made.requested_at, made.finished_at) for made in worked if made.finished_at and not made.is_person]
        ends = [(made.finished_at, self.cool_down) for made in worked if made.finished_at]
        ends += [(at, self._rest(own)) for _, at in own[-1:]]
        if any(abs(now - at) < rest for at, rest in ends):
            return "cool_down"
        return "budget" if sum(abs(now - made.requested_at) < DAY for made in of_it) >= self.per_day else None

    def _rest(self, own: list[tuple[datetime, datetime]]) -> timedelta:
        """As long as the row lasts that the last of ``own`` belongs to; not under the cool-down, not over 90 days."""
        begins = [at for at in range(1, len(own)) if own[at][0] - own[at - 1][1] > self._quiet(own[:at])]
        first = max(begins, default=0)
        return max(self.cool_down, min(own[-1][1] - own[first][0], timedelta(days=90)))

    def _quiet(self, own: list[tuple[datetime, datetime]]) -> timedelta:
        return max(2 * self._rest(own), timedelta(days=14))

    def claim(self, holder: str, duration: timedelta, use_case: str | None, now: datetime) -> int | None:
        for number, request in enumerate(self.requests):
            if request.is_open and request.is_free(now) and use_case in {None, request.use_case}:
                if request.state == "claimed":
                    request.move(holder, "requested", now)
                request.move(holder, "claimed" if request.state == "requested" else request.state, now)
                request.token += 1
                request.holder, request.claimed_at, request.duration = holder, now, duration
                return number
        return None

    def renew(self, number: int, token: int, duration: timedelta, now: datetime) -> None:
        request = self._held(number, token)
        request.claimed_at, request.duration = now, duration

    def give_back(self, number: int, token: int, now: datetime) -> None:
        request = self._held(number, token)
        request.move(str(request.holder), "requested" if request.state == "claimed" else request.state, now)
        request.holder = None

    def advance(self, number: int, token: int, expected: str, to: str, now: datetime) -> None:
        if (expected, to) not in ALLOWED:
            raise RefusedError("conflict")
        request = self._held(number, token)
        if request.state != expected:
            raise RefusedError("conflict")
        request.move(str(request.holder), to, now)

    def cancel(self, number: int, actor: str, now: datetime) -> None:
        if not self.requests[number].is_open:
            raise RefusedError("conflict")
        self.requests[number].move(actor, "rejected", now)

    def expire(self, older_than: timedelta, actor: str, now: datetime) -> None:
        for request in self.requests:
            asked_at = request.asked_again_at or request.requested_at
            if request.state == "requested" and request.token == 0 and now - asked_at >= older_than:
                request.move(actor, "expired", now)

    def _held(self, number: int, token: int) -> NaiveRequest:
        request = self.requests[number]
        if not request.is_open or request.token != token or request.holder is None:
            raise RefusedError("lost")
        return request
