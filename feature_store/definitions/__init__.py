"""How a use case says what its features and its question are: frozen values that know no engine, not even numpy.

docs/windows.md says what features mean, docs/questions.md what questions do.
"""

from feature_store.definitions.aggregations import Aggregation, Function, column, count, time_since_last
from feature_store.definitions.answers import Answer, Classes, Number, Task, Threshold, YesNo
from feature_store.definitions.errors import DefinitionError
from feature_store.definitions.expressions import DAY_OF_WEEK, HOUR_OF_DAY, Derived, Expression, Input, zscore
from feature_store.definitions.filters import Filter
from feature_store.definitions.group import Feature, FeatureGroup
from feature_store.definitions.questions import Absence, FutureAggregate, Moments, Outcome, Own, Question
from feature_store.definitions.service import FeatureService
from feature_store.definitions.source import Entity, Product, Source
from feature_store.definitions.spelling import days, hours, minutes
from feature_store.definitions.windows import LIFETIME

__all__ = [
    "DAY_OF_WEEK",
    "HOUR_OF_DAY",
    "LIFETIME",
    "Absence",
    "Aggregation",
    "Answer",
    "Classes",
    "DefinitionError",
    "Derived",
    "Entity",
    "Expression",
    "Feature",
    "FeatureGroup",
    "FeatureService",
    "Filter",
    "Function",
    "FutureAggregate",
    "Input",
    "Moments",
    "Number",
    "Outcome",
    "Own",
    "Product",
    "Question",
    "Source",
    "Task",
    "Threshold",
    "YesNo",
    "column",
    "count",
    "days",
    "hours",
    "minutes",
    "time_since_last",
    "zscore",
]
