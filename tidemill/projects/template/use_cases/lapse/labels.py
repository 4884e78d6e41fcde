"""What a lapse is: a user who came within the last 14 days, and does not come in the 14 that follow."""

SOURCE = "app.visit.v1"
ENTITY_COLUMN = "user_id"
EVENT: dict[str, str] = {}
ACTIVE_DAYS = 14
HORIZON_DAYS = 14
EVENT_MEANS = 0
