"""Visits by a loop over clicks, which knows nothing of Flink: the judge of the job ``sessions``."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

GAP = timedelta(minutes=30)
NAMESPACE = uuid.UUID("74696465-6d69-4cc3-a92d-666c696e6b2d")
KINDS = {"views": "view", "searches": "search", "carts": "add_to_cart", "checkouts": "checkout"}
Event = Mapping[str, Any]


def naive_sessions(clicks: Iterable[Event]) -> dict[str, dict[str, Any]]:
    """The data of each visit of ``clicks``, in whatever order and however often they come, by the id of its event."""
    once = {(click["source"], click["id"]): click for click in clicks}
    days: dict[tuple[str, date], list[Event]] = defaultdict(list)
    for click in once.values():
        days[visitor(click), moment(click).date()].append(click)
    visits = (visit for of_day in days.values() for visit in _apart(of_day))
    return dict(_event(visit) for visit in visits)


def newest(versions: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Of ``versions`` of visits, by id, those that no other holds in its time and outdoes in clicks."""
    of_visitor: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for version in versions.values():
        of_visitor[version["visitor_id"]].append(version)
    return {
        name: version
        for name, version in versions.items()
        if not any(_outdoes(other, version) for other in of_visitor[version["visitor_id"]])
    }


def _outdoes(other: Mapping[str, Any], version: Mapping[str, Any]) -> bool:
    holds_it = other["started_at"] <= version["started_at"] and version["ended_at"] <= other["ended_at"]
    return holds_it and bool(other["clicks"] > version["clicks"])


def visitor(click: Event) -> str:
    return str(click["data"].get("customer_id") or click["data"]["session_id"])


def moment(click: Event) -> datetime:
    """When it happened, in UTC, rounded down to a millisecond."""
    exact = datetime.fromisoformat(click["time"]).astimezone(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


def _apart(clicks: list[Event]) -> list[list[Event]]:
    visits: list[list[Event]] = []
    for click in sorted(clicks, key=moment):
        if visits and moment(click) - moment(visits[-1][-1]) <= GAP:
            visits[-1].append(click)
        else:
            visits.append([click])
    return visits


def _event(visit: list[Event]) -> tuple[str, dict[str, Any]]:
    first, last = moment(visit[0]), moment(visit[-1])
    kinds = [click["data"]["kind"] for click in visit]
    customers = [click["data"]["customer_id"] for click in visit if click["data"].get("customer_id")]
    data = {
        "visitor_id": visitor(visit[0]),
        "customer_id": max(customers, default=None),
        "started_at": _text(first),
        "ended_at": _text(last),
        "duration_s": (last - first) // timedelta(seconds=1),
        "clicks": len(visit),
        **{name: kinds.count(kind) for name, kind in KINDS.items()},
        "last_products": _last_products(visit),
    }
    names = "\x1e".join(sorted(f"{click['source']}\x1f{click['id']}" for click in visit))
    return str(uuid.uuid5(NAMESPACE, f"urn:tidemill:flink:sessions\x1f{data['visitor_id']}\x1f{names}")), data


def _last_products(visit: list[Event]) -> list[str]:
    """Of the last five clicks on a product; clicks of one millisecond are in no order that a visitor would know."""
    shown = [click for click in reversed(visit) if click["data"].get("product_id")]
    return [click["data"]["product_id"] for click in shown[:5]]


def _text(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
