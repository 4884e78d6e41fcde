"""Clicks of a day: the sessions behind its orders, and sessions that only look."""

from dataclasses import dataclass, fields

import numpy as np

from ingestion_layer.sources.simulator.columns import Columns, Ints
from ingestion_layer.sources.simulator.orders import GUEST, Lines, Orders
from ingestion_layer.sources.simulator.seasons import US_PER_DAY, times_of_day

KINDS = ("search", "view", "add_to_cart", "checkout")
SEARCH, VIEW, CART, CHECKOUT = range(4)
DEVICES = ("desktop", "mobile", "tablet")
NOTHING = -1
LONGEST_PAUSE_US = 25_000_000


@dataclass(frozen=True)
class Clicks(Columns):
    """Clicks; ``time`` in microseconds since 1970.

    ``customer`` is -1 before log-in, ``product`` -1 on pages that show none.
    """

    day: Ints
    session: Ints
    step: Ints
    customer: Ints
    kind: Ints
    product: Ints
    device: Ints


@dataclass(frozen=True)
class _Sessions:
    """Sessions of a day; ``wanted`` products of session s are ``products[first[s] : first[s] + wanted[s]]``."""

    visitor: Ints
    ends: Ints
    first: Ints
    wanted: Ints
    products: Ints
    searches: Ints
    views: Ints
    carts: Ints
    checkouts: Ints


def clicks_of(orders: Orders, day: int) -> Clicks:
    """What visitors do on ``day``, ordered by time: search, view, fill the cart, check out."""
    random = orders.shop.random("clicks", day)
    bought = orders.bought(day)
    sessions = _join(_buying(random, bought), _looking(random, orders, day))
    clicks = _spread(random, orders, day, sessions)
    return clicks.take(np.argsort(clicks.time, kind="stable"))


def _buying(random: np.random.Generator, bought: Lines) -> _Sessions:
    first = np.flatnonzero(bought.line == 1)
    wanted = np.diff(np.append(first, len(bought)))
    count = len(first)
    return _Sessions(
        visitor=bought.customer[first],
        ends=bought.time[first],
        first=first,
        wanted=wanted,
        products=bought.product,
        searches=random.integers(0, 2, count),
        views=wanted + random.poisson(1.0, count),
        carts=wanted,
        checkouts=np.ones(count, dtype=np.int64),
    )


def _looking(random: np.random.Generator, orders: Orders, day: int) -> _Sessions:
    visitor = orders.buyers(random, day, orders.purchase_rates(day) * orders.shop.browsing)
    count = len(visitor)
    return _Sessions(
        visitor=visitor,
        ends=day * US_PER_DAY + times_of_day(random, count),
        first=np.arange(count),
        wanted=np.ones(count, dtype=np.int64),
        products=orders.choose(random, day, visitor),
        searches=random.integers(0, 2, count),
        views=1 + random.poisson(1.5, count),
        carts=(random.random(count) < 0.2).astype(np.int64),
        checkouts=np.zeros(count, dtype=np.int64),
    )


def _join(one: _Sessions, other: _Sessions) -> _Sessions:
    joined = {f.name: np.concatenate([getattr(one, f.name), getattr(other, f.name)]) for f in fields(_Sessions)}
    return _Sessions(**joined | {"first": np.concatenate([one.first, other.first + len(one.products)])})


def _spread(random: np.random.Generator, orders: Orders, day: int, sessions: _Sessions) -> Clicks:
    lengths = sessions.searches + sessions.views + sessions.carts + sessions.checkouts
    session = np.repeat(np.arange(len(lengths)), lengths)
    ends = np.cumsum(lengths)
    step = np.arange(len(session)) - np.repeat(ends - lengths, lengths)
    kind = _kinds(sessions, session, step)
    pauses = random.integers(1_000_000, LONGEST_PAUSE_US, len(session))
    elapsed = np.cumsum(pauses)
    before_end = np.repeat(elapsed[ends - 1], lengths) - elapsed if len(session) else elapsed
    logged_in = (random.random(len(lengths)) < 0.75)[session] | (kind == CHECKOUT)
    return Clicks(
        day=np.full(len(session), day),
        session=session,
        step=step,
        customer=np.where(logged_in, sessions.visitor[session], GUEST),
        kind=kind,
        product=_products(random, orders, day, sessions, session, step, kind),
        device=random.choice(3, size=len(lengths), p=(0.4, 0.5, 0.1))[session],
        time=sessions.ends[session] - 1_000_000 - before_end,
    )


def _kinds(sessions: _Sessions, session: Ints, step: Ints) -> Ints:
    after_search = sessions.searches[session]
    after_views = after_search + sessions.views[session]
    after_carts = after_views + sessions.carts[session]
    stage = (step >= after_search).astype(np.int64) + (step >= after_views) + (step >= after_carts)
    return np.asarray(stage, dtype=np.int64)


def _products(  # noqa: PLR0913, PLR0917
    random: np.random.Generator, orders: Orders, day: int, sessions: _Sessions, session: Ints, step: Ints, kind: Ints
) -> Ints:
    """The wanted products are seen first and then put in the cart; further views show others to the visitor's taste."""
    place = step - sessions.searches[session] - np.where(kind == CART, sessions.views[session], 0)
    is_wanted = ((kind == VIEW) | (kind == CART)) & (place < sessions.wanted[session])
    wanted = sessions.products[np.where(is_wanted, sessions.first[session] + place, 0)]
    other = orders.choose(random, day, sessions.visitor[session])
    return np.where(is_wanted, wanted, np.where(kind == VIEW, other, NOTHING))
