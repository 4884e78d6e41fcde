"""What one use case is asked and what it answers, as types made from its feature service when the server starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, create_model
from typing_extensions import TypedDict

from feature_store import catalog
from feature_store.definitions import FeatureService, Task
from model_serving.asked import Asked, Instance
from model_serving.schemas import ANSWERING, Body, DegradedReason, ModelIdentity, Reason, with_few_unknown
from tidemill.contracts import contracts
from tidemill.contracts.example import example_value

MAX_ID = 256
MAX_TOP = 100
TOP = 10
Id = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MAX_ID)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Top = Annotated[
    int,
    Field(strict=True, ge=1, le=MAX_TOP, description="how many reasons to tell"),
    # 13.0 is an integer in JSON Schema. Outermost, so that the bounds stay in the description.
    BeforeValidator(lambda given: int(given) if isinstance(given, float) and given.is_integer() else given),
]
FORBID = ConfigDict(extra="forbid")
AS_OF = "all that the lake had learnt until then is in the features; null when they could not be read"


@dataclass(frozen=True)
class UseCaseSchemas:
    """``example`` is an instance; a request's body is of ``predict_request`` or ``explain_request``."""

    asked: Asked
    example: Instance
    predict_request: type[Body]
    predictions: type[Body]
    explain_request: type[Body]
    explanation: type[Body]


def schemas_of(asked: Asked, max_instances: int) -> UseCaseSchemas:
    """The types of a use case; a request may have ``max_instances``."""
    example = example_instance(asked)
    prefix = "".join(word.capitalize() for word in asked.use_case.split("_"))
    instance = _instance(f"{prefix}Instance", asked, example)
    prediction = _body(f"{prefix}Prediction", _answered(asked))
    described = "answered in this order; the same instance may come twice"
    many = Annotated[list[instance], Field(min_length=1, max_length=max_instances, description=described)]  # type: ignore[valid-type]
    reasons = f"the largest first, at most `top` of them; empty when {NO_REASONS}"
    return UseCaseSchemas(
        asked,
        example,
        predict_request=_body(f"{prefix}PredictRequest", {"instances": many}),
        predictions=_body(f"{prefix}Predictions", {"predictions": list[prediction], **_ENVELOPE}),  # type: ignore[valid-type]
        explain_request=_body(f"{prefix}ExplainRequest", {"instance": instance, "top": Top}, top=TOP),
        explanation=_body(
            f"{prefix}Explanation",
            {
                "prediction": prediction,
                "space": Annotated[str | None, Field(description=f"what the output is; null when {NO_REASONS}")],
                "explained": Annotated[str | None, Field(description="the decision that the output speaks for")],
                "base": Annotated[float | None, Field(description="the output before any feature is looked at")],
                "reasons": Annotated[list[Reason], Field(description=reasons)],
                "rest": Annotated[float | None, Field(description="what all other features added together")],
                "output": Annotated[float | None, Field(description="base, contributions and rest together")],
                **_ENVELOPE,
            },
        ),
    )


NO_REASONS = "the answer was not made of features, as `degraded` of the prediction tells"
_ENVELOPE: Mapping[str, Any] = {
    "model": Annotated[ModelIdentity, Field(description="that of the first prediction")],
    "request_id": str,
}


def _body(name: str, kinds: Mapping[str, Any], **defaults: object) -> type[Body]:
    fields: dict[str, Any] = {field: (kind, defaults.get(field, ...)) for field, kind in kinds.items()}
    return create_model(name, __base__=Body, **fields)


def _instance(name: str, asked: Asked, example: Instance) -> Any:
    """A mapping, not a model: what was checked is handed on as it is."""
    ids = {key: Annotated[Id, Field(examples=[example[key]])] for key in asked.keys}
    numbers = {name: Annotated[Number, Field(examples=[example[name]])] for name in asked.inputs}
    known = {**ids, **numbers}
    made = TypedDict(name, known)  # type: ignore[misc]
    made.__pydantic_config__ = FORBID  # type: ignore[attr-defined]
    return Annotated[made, BeforeValidator(lambda given: with_few_unknown(given, known))]


def _answered(asked: Asked) -> dict[str, Any]:
    return {
        **{key: Annotated[str, Field(description="as asked")] for key in asked.keys},
        **_ANSWERS[asked.task],
        "features_as_of": Annotated[datetime | None, Field(description=AS_OF)],
        "degraded": Annotated[list[DegradedReason], Field(description="empty when the answer is the best one")],
        "arm": Annotated[ANSWERING, Field(description="as which of the two models that may answer at a time")],
        "version": Annotated[str, Field(description="of the model that answered")],
    }


_DECISION = Annotated[
    str | None, Field(description="for who has no features what the model declares, null when that is no decision")
]
_ANSWERS: Mapping[Task, Mapping[str, Any]] = {
    Task.BINARY: {
        "score": Annotated[
            float, Field(ge=0, le=1, description="the model's score; what it means is in the use case's README")
        ],
        "decision": _DECISION,
    },
    Task.MULTICLASS: {
        "scores": Annotated[dict[str, float], Field(description="the probability of each class")],
        "decision": _DECISION,
    },
    Task.REGRESSION: {
        "value": Annotated[float, Field(description="what it means is in the use case's README")],
        "interval": Annotated[
            tuple[float, float] | None,
            Field(description="its ends; null when the model has none, or had no features"),
        ],
    },
}


def example_instance(asked: Asked) -> Instance:
    """An instance with the example values of the contracts that the features are made of."""
    properties = _properties(catalog.service(asked.use_case))
    ids = {key: str(example_value(properties.get(key, {"type": "string", "minLength": 1}))) for key in asked.keys}
    return ids | {name: float(example_value(properties.get(name, {"type": "number"}))) for name in asked.inputs}


def _properties(service: FeatureService) -> Mapping[str, Any]:
    by_table = {f"silver/{contract.table}": contract.schema["properties"] for contract in contracts().values()}
    found: dict[str, Any] = {}
    for group in service.groups:
        for name, schema in by_table.get(group.source.table, {}).items():
            found.setdefault(name, schema)
    return found
