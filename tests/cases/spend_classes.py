"""A use case of classes, beside the built-in ones: how much somebody will spend, in three words."""

from dataclasses import replace

from feature_store.definitions import Classes, FutureAggregate
from ml_modeling.specification import MulticlassSpec
from ml_modeling.use_case import UseCase, load_use_case

_SPEC = MulticlassSpec.model_validate(
    {
        "description": "A test.",
        "cutoffs": {"spacing_days": 7, "min_history_days": 0, "train": 1, "validation": 1, "test": 1},
        "max_rows": 1000,
        "bootstrap": {"replicates": 200, "confidence": 0.9, "seed": 3},
        "search": {"metric": "macro_f1", "trials": 1, "timeout_s": 1, "seed": 0},
        "candidates": {"logistic_regression": {}},
        "leakage": {"max_single_feature_auc": 0.97, "max_pure_share": 1},
        "baseline": {"feature": "spend__amount_sum_60d"},
        "cold_start": {"decision": "prior"},
        "gates": {"baseline": {"metric": "macro_f1", "gain": 0}, "champion": {"metric": "log_loss", "margin": 0.1}},
    }
)


def _spend_classes() -> UseCase:
    numbers = load_use_case("next_spend")
    assert isinstance(numbers.question, FutureAggregate)
    question = replace(numbers.question, answer=Classes(("none", "some", "much"), edges=(0.01, 20.0)))
    return replace(numbers, name="spend_class", question=question, spec=_SPEC)


SPEND_CLASSES = _spend_classes()
