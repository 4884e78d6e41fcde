"""How a use case is trained again when nobody says otherwise, and how often monitors may ask for it."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from ml_modeling.specification.parts import Part

Parameters = Literal["tune", "champions"]
"""Whether the search runs again, or the champion's candidate and parameters are fitted to the new data."""


class Retraining(Part):
    """``window_days`` is how far back before the newest events a model learns from; without it, from all of them.

    ``new_rows`` are how many more rows its tables have when that is reason enough to train; without it, none are.
    """

    window_days: int | None = Field(default=None, ge=1)
    parameters: Parameters = "tune"
    cool_down_hours: float = Field(default=24.0, ge=0)
    per_day: int = Field(default=3, ge=1)
    new_rows: int | None = Field(default=None, ge=1)

    @property
    def cool_down(self) -> timedelta:
        return timedelta(hours=self.cool_down_hours)
