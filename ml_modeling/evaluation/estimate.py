"""A measured number and how sure it is."""

from pydantic import BaseModel, ConfigDict


class Estimate(BaseModel):
    """A value and its interval."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
