"""The question: how often a user who came within the last 14 days will come in the 14 that follow."""

from use_cases.next_visits.features import EVENTS, USER

from feature_store.definitions import FutureAggregate, Number, count, days

LABEL = FutureAggregate(
    entity=USER,
    source=EVENTS,
    aggregation=count(),
    active=days(14),
    horizon=days(14),
    answer=Number(),
)
