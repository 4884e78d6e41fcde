"""The features of the churn model in SQL, written from docs/windows.md and from what they are called.

It shares no code with what answers, nor with the judge that the product has: this one is asked about it as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tests.soak.silver import Silver

DAY_US = 86_400_000_000
EXACT_DISTINCT = 256
"""Of so many distinct values a state keeps each; beyond it a count is an estimate."""
ESTIMATE = 0.115
"""Five standard errors of the estimate, as a share of the count."""
EXACT = 1e-9
SCHEMA = pa.schema(
    {
        "number": "int64",
        "customer": "string",
        "asked_at": "int64",
        "purchases": "int64",
        "returns": "int64",
        "until": "int64",
    }
)
Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Asked:
    """A customer asked about, from silver at a version for each group; times are microseconds since 1970.

    All that the lake had learnt by ``until`` is said to be in the answer; 0 where nothing is said.
    """

    customer: str
    asked_at: int
    purchases: int
    returns: int
    until: int = 0


@dataclass(frozen=True)
class Expected:
    """``is_whole``: nothing learnt by ``until`` came to silver after the versions asked about.

    ``is_known``: of the customer there is an event at a version asked about, of whatever kind or time. Every feature
    group hears of it, also one whose filters it does not pass.
    """

    values: Values
    orders: int
    products: int
    is_known: bool
    is_whole: bool

    @property
    def is_approximate(self) -> bool:
        return max(self.orders, self.products) > EXACT_DISTINCT

    def tolerance(self, feature: str) -> float:
        """By what share of the value an answer may differ from it."""
        is_of_orders = "order_id" in feature or feature in {"basket_mean_365d", "orders_share_90d"}
        if is_of_orders and self.orders > EXACT_DISTINCT:
            return 2 * ESTIMATE
        return ESTIMATE if "product_id" in feature and self.products > EXACT_DISTINCT else EXACT

    def differences(self, answered: Values) -> list[str]:
        """Where ``answered`` is not what is expected, in words."""
        names = sorted({*self.values, *answered})
        return [f"{name} {answered.get(name, 'missing')} for {self.values.get(name, 'none')}" for name in names
                if not self._is_right(name, answered)]  # fmt: skip

    def _is_right(self, name: str, answered: Values) -> bool:
        if name not in answered or name not in self.values:
            return False
        left, right = answered[name], self.values[name]
        if left is None or right is None:
            return left is right
        return math.isclose(left, right, rel_tol=self.tolerance(name), abs_tol=EXACT)


def _over(function: str, condition: str, days: int) -> str:
    """``function`` of the events that a window covers: floor(asked_at - window, hop), with a hop of a day here."""
    return f"{function} FILTER (WHERE {condition} AND time >= (asked_at - {days * DAY_US}) // {DAY_US} * {DAY_US})"


BOUGHT, RETURNED = "kind = 'purchase'", "kind = 'return'"
ORDERS, PRODUCTS = "count(DISTINCT order_id)", "count(DISTINCT product_id)"
COLUMNS = {
    "purchases__time_since_last_all": f"(any_value(asked_at) - max(time) FILTER (WHERE {BOUGHT})) / 1e6",
    **{f"purchases__order_id_count_distinct_{days}d": _over(ORDERS, BOUGHT, days) for days in (30, 90, 365)},
    **{
        f"purchases__amount_sum_{days}d": f"coalesce({_over('fsum(amount)', BOUGHT, days)}, 0)"
        for days in (30, 90, 365)
    },
    "purchases__product_id_count_distinct_365d": _over(PRODUCTS, BOUGHT, 365),
    **{f"returns__count_{days}d": _over("count(*)", RETURNED, days) for days in (90, 365)},
}
SEEN = """
SELECT a.number, a.asked_at, e.* FROM asked a
LEFT JOIN (SELECT events.*, added, removed FROM events JOIN files USING (file)) e
ON e.customer = a.customer AND e.time < a.asked_at AND (
  (e.kind = 'purchase' AND e.added <= a.purchases AND a.purchases < e.removed)
  OR (e.kind = 'return' AND e.added <= a.returns AND a.returns < e.removed)
)
"""
VALUES = f"""
SELECT {", ".join(f'CAST({sql} AS DOUBLE) AS "{name}"' for name, sql in COLUMNS.items())},
  {ORDERS} FILTER (WHERE {BOUGHT}) AS orders, {PRODUCTS} FILTER (WHERE {BOUGHT}) AS products
FROM ({SEEN}) GROUP BY number ORDER BY number
"""
KNOWN = """
SELECT DISTINCT a.number FROM asked a
JOIN (SELECT DISTINCT customer, added, removed FROM events JOIN files USING (file)) e
ON e.customer = a.customer AND (
  (e.added <= a.purchases AND a.purchases < e.removed) OR (e.added <= a.returns AND a.returns < e.removed)
)
"""
CAME_LATER = """
SELECT DISTINCT a.number FROM asked a
JOIN (
  SELECT customer, kind, identity, min(learnt) AS learnt, min(added) AS added FROM events JOIN files USING (file)
  WHERE customer IN (SELECT customer FROM asked) GROUP BY ALL
) e
ON e.customer = a.customer AND e.learnt <= a.until AND (
  (e.kind = 'purchase' AND e.added > a.purchases) OR (e.kind = 'return' AND e.added > a.returns)
)
"""


def expected(silver: Silver, asked: Sequence[Asked]) -> list[Expected]:
    """What is right for each, in order."""
    columns = {"number": list(range(len(asked)))} | {
        name: [getattr(one, name) for one in asked] for name in SCHEMA.names[1:]
    }
    silver.connection.register("asked", pa.table(columns, schema=SCHEMA))
    known, came_later = (
        {number for (number,) in silver.connection.execute(query).fetchall()} for query in (KNOWN, CAME_LATER)
    )
    rows = silver.connection.execute(VALUES).fetchall()
    silver.connection.unregister("asked")
    return [_expected(row, number in known, number not in came_later) for number, row in enumerate(rows)]


def _expected(row: tuple[float | None, ...], is_known: bool, is_whole: bool) -> Expected:
    values = dict(zip(COLUMNS, row, strict=False))
    orders = values["purchases__order_id_count_distinct_365d"]
    values["basket_mean_365d"] = _divided(values["purchases__amount_sum_365d"], orders)
    values["orders_share_90d"] = _divided(values["purchases__order_id_count_distinct_90d"], orders)
    return Expected(values, int(row[-2] or 0), int(row[-1] or 0), is_known, is_whole)


def _divided(left: float | None, right: float | None) -> float | None:
    return left / right if left is not None and right else None
