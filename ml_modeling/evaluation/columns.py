"""Which feature a column that an estimator reads was made of."""

from collections.abc import Sequence

from tidemill.config.errors import TerminalError

MARKS_MISSING = "missingindicator_"  # what scikit-learn's imputer puts before the name of the feature
RARE = "_infrequent_sklearn"  # what its encoders put behind it for the categories that they take together


class UnexplainableModelError(TerminalError):
    """A model whose answers nobody can give reasons for, and why."""


def features_of(columns: Sequence[str], features: Sequence[str]) -> list[int]:
    """Of each column, the place of its feature: itself, a mark where it is missing, or one of its categories.

    Categories are numbers, so what stands behind the last underscore is one.

    Raises:
        UnexplainableModelError: a column is none of these.
    """
    return [features.index(_feature(str(column), features)) for column in columns]


def _feature(column: str, features: Sequence[str]) -> str:
    if column in features:
        return column
    marked = column.removeprefix(MARKS_MISSING)
    if marked in features:
        return marked
    category_of = column.removesuffix(RARE) if column.endswith(RARE) else column.rpartition("_")[0]
    if category_of not in features:
        raise UnexplainableModelError(f"nobody knows which feature its column {column!r} is made of")
    return category_of
