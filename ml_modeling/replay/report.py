"""What a replay found."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Found(BaseModel):
    model_config = ConfigDict(frozen=True)


class Example(Found):
    """A request that is answered otherwise now; an answer is the score, the value, or each class's probability."""

    request_id: str
    entity_id: str
    logged: tuple[float, ...]
    logged_decision: str
    replayed: tuple[float, ...]
    replayed_decision: str


class Proof(Found):
    """The model's own logged answers, given again: ``different`` is 0 when each is the same to the last bit."""

    answers: int
    different: int
    why: str = Field(default="", description="what makes the difference, as far as it can be told")
    examples: tuple[Example, ...] = ()


class Behind(Found):
    """A feature behind the differences: ``share`` of their variance lies between its ranges.

    ``low`` and ``high`` are the mean differences in the range where it is lowest and highest.
    """

    feature: str
    share: float
    low: float
    low_range: str
    high: float
    high_range: str


class Differences(Found):
    """What the model says where another one answered; a difference is the new score or value less the logged one.

    Of classes it is half the sum of the absolute differences of their probabilities. ``decisions`` counts each change
    of decision. Quantiles and ``behind`` are of ``sampled`` answers, drawn evenly.
    """

    answers: int
    mean: float
    mean_absolute: float
    largest: float
    sampled: int
    quantiles: dict[str, float]
    decisions: dict[str, int]
    behind: tuple[Behind, ...]
    examples: tuple[Example, ...]


class Said(Found):
    """What the model says to all that was asked, whoever answered then: ``answers`` of it.

    ``quantiles`` are so many, evenly from the smallest to the largest, of its score or value, in an even sample; of
    several classes there are none. ``decisions`` counts each decision.
    """

    answers: int
    quantiles: tuple[float, ...]
    decisions: dict[str, int]


class Replay(Found):
    """``answers`` were logged in the window, ``unscored`` of them for a cold start, ``lacking`` without the features.

    ``proof`` is None when this model gave none of them, ``differences`` when no other one did.
    """

    use_case: str
    version: str
    run_id: str
    model_id: str
    begin: datetime
    end: datetime
    answers: int
    unscored: int
    lacking: int
    proof: Proof | None
    differences: Differences | None
    said: Said | None = None
    scoring_s: float = Field(description="seconds in the model")

    @property
    def holds(self) -> bool:
        """Whether the model says of its own answers what the log says."""
        return self.proof is None or not self.proof.different
