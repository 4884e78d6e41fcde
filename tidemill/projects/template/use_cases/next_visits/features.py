"""What the model knows of a user: how often, how long, how widely and how recently they came."""

from feature_store.definitions import (
    LIFETIME,
    Derived,
    Entity,
    FeatureGroup,
    FeatureService,
    Source,
    column,
    count,
    days,
    time_since_last,
)

USER = Entity("user", "user_id")
EVENTS = Source("silver/visits")
VISITS = FeatureGroup(
    name="visits",
    entity=USER,
    source=EVENTS,
    windows=(days(7), days(14), days(28)),
    aggregations=(
        count(),
        column("seconds").sum(),
        column("page").count_distinct(windows=(days(28),)),
        time_since_last(windows=(LIFETIME,)),
    ),
)

SERVICE = FeatureService(
    name="next_visits",
    features=(
        *VISITS.features,
        Derived("recent_share", VISITS["count_7d"] / VISITS["count_28d"]),
    ),
)
