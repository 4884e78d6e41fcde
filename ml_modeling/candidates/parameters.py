"""Whether a candidate's library takes the parameters that ``model.yaml`` gives it: asked of the library itself.

XGBoost and LightGBM take any name and leave out what they do not know, so that a training with a misspelt parameter
succeeds and its run says that it was used. So it does with one that another leaves without effect.
"""

import difflib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from feature_store.definitions import Task
from ml_modeling.candidates.pipelines import Recipe, build, fixed_parameters
from ml_modeling.specification.parts import Choice, Range, SearchSpace

FEW_TREES = 3
NOT_USED = re.compile(r"Parameters: .* are not used|'\w+' has no effect")
"""What XGBoost and scikit-learn warn of: parameters that the others, or the version, leave without effect."""
_NO_DART = ("boosting_type", "gbdt")
LEFT_OUT: Mapping[str, Mapping[str, tuple[str, Any]]] = {
    "lightgbm": {
        "subsample": ("subsample_freq", 0),
        **dict.fromkeys(("drop_rate", "max_drop", "skip_drop", "uniform_drop", "xgboost_dart_mode"), _NO_DART),
    }
}
"""Parameters that a library leaves out in silence where another one, which is its default, has this value."""
SEED = 0

Values = Mapping[str, Sequence[Any]]


def refused_candidates(candidates: Mapping[str, SearchSpace], recipe: Recipe) -> list[tuple[str, str]]:
    """What is wrong with the candidates of a ``model.yaml``: the key below ``candidates``, and why."""
    found = []
    for candidate, space in candidates.items():
        if candidate not in recipe.candidates:
            known = ", ".join(sorted(recipe.candidates))
            others = "others are yours to write in estimators.py"
            found.append((candidate, f"no model of a {recipe.task} label; known: {known}; {others}"))
            continue
        wrong = problems(candidate, {name: _tried(choice) for name, choice in space.items()}, recipe)
        found += [(f"{candidate}.{name}" if name else candidate, why) for name, why in wrong]
    return found


def _tried(choice: Choice) -> Sequence[Any]:
    """The values that stand for a choice: all of a list, the ends of a range, and one that is no end nor whole."""
    if isinstance(choice, list):
        return choice
    if not isinstance(choice, Range):
        return [choice]
    between = [] if choice.is_whole else [choice.low + (choice.high - choice.low) / 3]
    return [choice.low, *between, choice.high]


def problems(candidate: str, values: Values, recipe: Recipe) -> list[tuple[str, str]]:
    """What is wrong with parameters: the name (empty when it is none in particular) and why.

    ``values`` are those to try of each parameter. A name is one of the estimator's constructor, or LightGBM's own for
    what the constructor has no name for: each parameter has one name. Values are tried in fits of a few rows.
    """
    known = _names(candidate, recipe)
    unknown = [(name, f"{candidate} has no such parameter; {_nearest(candidate, name, known)}") for name in values]
    unknown = [(name, why) for name, why in unknown if name not in known]
    return unknown or _without_effect(candidate, values) or list(_refusals(candidate, values, recipe))


def _without_effect(candidate: str, values: Values) -> list[tuple[str, str]]:
    return [
        (name, f"has no effect where {other} is {without!r}, as it is unless you say otherwise")
        for name, (other, without) in LEFT_OUT.get(candidate, {}).items()
        if name in values and without in values.get(other, [without])
    ]


def _names(candidate: str, recipe: Recipe) -> set[str]:
    constructor = set(build(candidate, {}, SEED, recipe)[-1].get_params())
    groups = _synonyms(candidate).items()
    others = {name for name, synonyms in groups if constructor.isdisjoint(synonyms)}
    return (constructor | others) - set(fixed_parameters(candidate, SEED))


def _synonyms(candidate: str) -> Mapping[str, Sequence[str]]:
    """LightGBM's own name of each of its parameters, and all that it may be called."""
    if candidate != "lightgbm":
        return {}
    from lightgbm.basic import _ConfigAliases

    aliases: dict[str, list[str]] = _ConfigAliases._get_all_param_aliases()
    return aliases


def _nearest(candidate: str, name: str, known: set[str]) -> str:
    if name in fixed_parameters(candidate, SEED):
        return "it is the same for every model: leave it out"
    meant = {other for synonyms in _synonyms(candidate).values() if name in synonyms for other in synonyms} & known
    nearest = sorted(meant) or difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(nearest)}?" if nearest else f"it has {', '.join(sorted(known))}"


def _refusals(candidate: str, values: Values, recipe: Recipe) -> Iterator[tuple[str, str]]:
    for parameters in _sets(values):
        said = _refusal(candidate, parameters, recipe)
        if said is not None:
            named = [name for name in parameters if _is_named(candidate, name, said)]
            name, what = (named[0], parameters[named[0]]) if len(named) == 1 else ("", parameters)
            yield name, f"{what!r} is refused by the library: {said}"
            return


def _sets(values: Values) -> Iterator[dict[str, Any]]:
    """Sets of parameters in which every value occurs."""
    for number in range(max(map(len, values.values()), default=0)):
        yield {name: tried[min(number, len(tried) - 1)] for name, tried in values.items()}


def _refusal(candidate: str, parameters: Mapping[str, Any], recipe: Recipe) -> str | None:
    """What the library says against parameters, in one line; None when it takes them."""
    x = np.random.default_rng(SEED).normal(size=(64, 8))
    trees = parameters.get("n_estimators")
    if isinstance(trees, int | float) and trees < 1:  # XGBoost makes a model that answers everybody the same
        return "n_estimators below 1 leaves no tree"
    quick = {"n_estimators": min(trees, FEW_TREES)} if isinstance(trees, int | float) else {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            build(candidate, {**parameters, **quick}, SEED, recipe).fit(x, _label(x[:, 0], recipe.task))
        except Exception as error:  # noqa: BLE001 - each library has its own; all are told
            return str(error).strip().splitlines()[0]
    told = [" ".join(str(warning.message).split()) for warning in caught]
    return next((found[0] for found in map(NOT_USED.search, told) if found), None)


def _label(values: Any, task: Task) -> Any:
    """A label of the task, of which each class occurs."""
    kinds = {Task.BINARY: (values > 0).astype(int), Task.MULTICLASS: np.digitize(values, (-0.5, 0.5))}
    return kinds.get(task, values)


def _is_named(candidate: str, name: str, said: str) -> bool:
    names = next((synonyms for synonyms in _synonyms(candidate).values() if name in synonyms), [name])
    return any(re.search(rf"\b{re.escape(synonym)}\b", said) for synonym in names)
