"""A model as it is kept in MLflow, so that MLflow's own tools answer what the model server answers."""

import logging
from importlib import metadata
from typing import Any

import pandas as pd

from ml_modeling.candidates.own_estimators import trusted_types
from ml_modeling.registry.background import background_rows
from ml_modeling.registry.scorer import Floats
from ml_modeling.registry.served import METADATA_KEY, TRUSTED_TYPES, RegressionServing, Serving

LIBRARIES = ("lightgbm", "mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops", "xgboost")


def _types_in(pipeline: Any) -> list[str]:
    import skops.io

    types: list[str] = skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))
    return types


def sklearn_options(pipeline: Any, spec: Serving, x: Floats) -> dict[str, Any]:
    """The arguments of ``mlflow.sklearn.log_model`` and ``save_model``; ``x`` are the rows it was fitted on.

    Some of them are kept as an example, which the reasons of an answer are compared with. The signature names the
    columns, so that MLflow puts them in the order of the model's and refuses a table that lacks one; a missing value is
    a null. Its ``predict`` gives the probabilities of all classes, the second is the score, or the number.
    What a score is decided by is in the metadata: the fields of :class:`Served` under ``tidemill``.
    """
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, DataType, Schema

    rows = background_rows(x)
    example = pd.DataFrame(rows, columns=list(spec.features))
    predict = "predict" if isinstance(spec, RegressionServing) else "predict_proba"
    outputs = infer_signature(model_output=getattr(pipeline, predict)(rows)).outputs
    inputs = Schema([ColSpec(DataType.double, name, required=True) for name in spec.features])
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    return {
        "signature": ModelSignature(inputs, outputs),
        "input_example": example,
        "pyfunc_predict_fn": predict,
        "serialization_format": "skops",
        "skops_trusted_types": [*TRUSTED_TYPES, *trusted_types(spec.use_case, lambda: _types_in(pipeline))],
        "pip_requirements": [f"{name}=={metadata.version(name)}" for name in LIBRARIES],
        "metadata": {METADATA_KEY: spec.model_dump(mode="json")},
    }
