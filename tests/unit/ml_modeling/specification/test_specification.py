import pytest
import yaml

from feature_store.definitions import Absence, Entity, Product, Source, column, days
from ml_modeling.specification import SpecificationError, read_specification
from ml_modeling.use_case import UnknownUseCaseError, load_use_case, use_case_names
from tidemill.config.settings import REPO

FOLDER = REPO / "use_cases"
CHURN = FOLDER / "churn" / "model.yaml"


@pytest.fixture
def changed(tmp_path):
    """Writes the churn specification with one value replaced (or removed) and returns its path."""

    def change(path, value):
        content = yaml.safe_load(CHURN.read_text(encoding="utf-8"))
        target = content
        *parents, last = path.split(".")
        for key in parents:
            target = target[key]
        if value is None:
            del target[last]
        else:
            target[last] = value
        file = tmp_path / "model.yaml"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return file

    return change


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("trails", 3, "trails is no key of a specification; did you mean 'trials'"),
        ("rollout", {"policy": "fast"}, "rollout.policy = 'fast': Input should be 'direct', 'manual', 'shadow'"),
        ("rollout", {"steps": [50, 10]}, "rollout: steps [50, 10]: each is larger"),
        ("rollout", {"steps": [0, 10]}, "rollout.steps.0 = 0: Input should be greater than or equal to 1"),
        ("rollout", {"steps": []}, "rollout.steps = []"),
        ("rollout", {"step_minute": 5}, "rollout.step_minute is no key of a specification; did you mean 'step_min"),
        ("rollout", {"guards": {"error_rate": 5}}, "rollout.guards.error_rate = 5: Input should be less than 1"),
        ("search.timeout", 3, "search.timeout is no key of a specification; did you mean 'timeout_s'"),
        ("search.trials", 0, "search.trials = 0: Input should be greater than or equal to 1"),
        ("search.metric", "auc", "search.metric = 'auc': Input should be 'roc_auc' or 'average_precision'"),
        ("search.seed", None, "search.seed is missing"),
        ("candidates", {"svm": {}}, "candidates.svm"),
        ("candidates.xgboost.max_depth", {"low": 6, "high": 2}, "low 6 is not below high 2"),
        ("candidates.xgboost.max_depth", {"low": 0, "high": 2, "log": True}, "starts above zero, not at 0"),
        ("threshold", {"rule": "best"}, "threshold = {'rule': 'best'}"),
        ("threshold", {"rule": "fixed", "value": 2}, "threshold.fixed.value = 2"),
        ("gates.floors", {"gini": 0.5}, "gates.floors.gini"),
        ("gates.floors", {"roc_auc": 65}, "gates.floors.roc_auc = 65: Input should be less than or equal to 1"),
        ("gates.champion.margin", 2, "gates.champion.margin = 2: Input should be less than or equal to 1"),
        ("bootstrap.replicates", "many", "bootstrap.replicates = 'many': Input should be a valid integer"),
        ("decisions", ["yes"], "decisions.1 is missing"),
        ("decisions", ["stays", ""], "decisions.1 = '': String should have at least 1 character"),
        ("decisions", ["stays", "x" * 65], f"decisions.1 = '{'x' * 65}': String should have at most 64 characters"),
        ("decisions", ["none", "churns"], "two different names, neither of them none or threshold"),
        ("cold_start.decision", "churn", "decision 'churn' is none of none, threshold, stays, churns"),
        ("cold_start.score", 2, "cold_start.score"),
        ("scoring", {}, "scoring.schedule is missing"),
        (
            "scoring",
            {"schedule": "every day"},
            "scoring.schedule = 'every day': must be",
        ),
    ],
)
def test_a_bad_value_is_named_with_its_key_and_file(changed, path, value, message):
    file = changed(path, value)
    with pytest.raises(SpecificationError) as error:
        read_specification(file)
    assert str(file) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("candidate", "parameters", "message"),
    [
        (
            "lightgbm",
            {"num_leafs": 4},
            "candidates.lightgbm.num_leafs: lightgbm has no such parameter; did you mean num_",
        ),
        (
            "xgboost",
            {"max_dept": 4},
            "candidates.xgboost.max_dept: xgboost has no such parameter; did you mean max_depth",
        ),
        ("random_forest", {"max_depht": 4}, "candidates.random_forest.max_depht: random_forest has no such parameter"),
        ("logistic_regression", {"c": 1.0}, "candidates.logistic_regression.c: logistic_regression has no such"),
        ("lightgbm", {"eta": 0.1}, "lightgbm.eta: lightgbm has no such parameter; did you mean learning_rate?"),
        (
            "xgboost",
            {"booster": "gblinear", "gamma": 1},
            'xgboost.gamma: 1 is refused by the library: Parameters: { "gamma"',
        ),
        (
            "lightgbm",
            {"random_state": 3},
            "lightgbm.random_state: lightgbm has no such parameter; it is the same for every",
        ),
        (
            "lightgbm",
            {"num_leaves": {"low": 1, "high": 8}},
            "candidates.lightgbm.num_leaves: 1 is refused by the library",
        ),
        (
            "xgboost",
            {"subsample": {"low": 0.5, "high": 1.5}},
            "candidates.xgboost.subsample: 1.5 is refused by the lib",
        ),
        ("xgboost", {"max_depth": {"low": 2.0, "high": 6.0}}, "candidates.xgboost.max_depth: 2.0 is refused"),
        ("random_forest", {"max_features": ["sqrt", "all"]}, "random_forest.max_features: 'all' is refused by the lib"),
        ("lightgbm", {"subsample": 0.8}, "lightgbm.subsample: has no effect where subsample_freq is 0"),
        ("lightgbm", {"subsample": 0.8, "subsample_freq": [0, 1]}, "lightgbm.subsample: has no effect where"),
        ("lightgbm", {"drop_rate": 0.2}, "lightgbm.drop_rate: has no effect where boosting_type is 'gbdt'"),
        ("xgboost", {"n_estimators": 0}, "xgboost.n_estimators: 0 is refused by the library: n_estimators below 1"),
        ("logistic_regression", {"n_jobs": 2}, "logistic_regression.n_jobs: 2 is refused by the library: 'n_jobs' has"),
        ("logistic_regression", {"C": -1.0}, "candidates.logistic_regression.C: -1.0 is refused by the library"),
    ],
)
def test_a_parameter_that_the_library_does_not_take_is_named_with_its_key_and_file(
    changed, candidate, parameters, message
):
    file = changed("candidates", {candidate: parameters})
    with pytest.raises(SpecificationError) as error:
        read_specification(file)
    assert str(file) in str(error.value)
    assert message in str(error.value)


def test_a_parameter_that_only_lightgbm_itself_has_a_name_for_is_taken(changed):
    read_specification(changed("candidates", {"lightgbm": {"max_bin": 63, "path_smooth": {"low": 0.0, "high": 1.0}}}))


def test_a_file_that_is_not_yaml_is_named(tmp_path):
    file = tmp_path / "model.yaml"
    file.write_text("search: {trials: [", encoding="utf-8")
    with pytest.raises(SpecificationError, match=r"model\.yaml: not valid YAML"):
        read_specification(file)


def test_a_key_given_twice_is_named_instead_of_the_last_one_winning(tmp_path):
    file = tmp_path / "model.yaml"
    file.write_text("search:\n  trials: 3\n  trials: 30\n", encoding="utf-8")
    with pytest.raises(
        SpecificationError, match=r"(?s)model\.yaml: not valid YAML: .*key 'trials' is there twice.*line 3"
    ):
        read_specification(file)


@pytest.mark.parametrize("content", ["", "[1, 2]", "text"], ids=["empty", "list", "text"])
def test_a_file_that_is_not_a_table_is_named(tmp_path, content):
    file = tmp_path / "model.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SpecificationError, match=r"model\.yaml: \(the whole file\)"):
        read_specification(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SpecificationError, match=r"model\.yaml: cannot be read"):
        read_specification(tmp_path / "model.yaml")


def test_an_unknown_use_case_names_the_known_ones():
    with pytest.raises(UnknownUseCaseError, match=r"no use case 'chrun'.*known: .*churn"):
        load_use_case("chrun")


def test_churn_asks_for_ninety_days_of_silence_of_those_active_in_the_ninety_before():
    question = load_use_case("churn").question
    assert "churn" in use_case_names()
    assert question == Absence(
        entity=Entity("customer", "customer_id"),
        source=Source("silver/transactions", computed=(Product("amount", "quantity", "unit_price"),)),
        filters=(column("kind") == "purchase",),
        active=days(90),
        horizon=days(90),
    )


def test_a_budget_given_on_the_command_line_replaces_only_what_was_given():
    churn = load_use_case("churn")
    search = churn.with_budget(3, None).spec.search
    assert (search.trials, search.timeout_s) == (3, churn.spec.search.timeout_s)
    assert churn.with_budget(None, None) == churn


@pytest.fixture
def changed_of(tmp_path):
    """Writes the specification of a use case with some keys replaced (or, with None, removed)."""

    def change(use_case, changes):
        content = yaml.safe_load((FOLDER / use_case / "model.yaml").read_text(encoding="utf-8")) | changes
        file = tmp_path / "model.yaml"
        kept = {key: value for key, value in content.items() if value is not None}
        file.write_text(yaml.safe_dump(kept), encoding="utf-8")
        return file

    return change


@pytest.mark.parametrize(
    ("use_case", "changes", "message"),
    [
        ("next_spend", {"threshold": {"rule": "max_f1"}}, "threshold is no key of a specification"),
        ("next_spend", {"interval": {"coverage": 90}}, "interval.coverage = 90"),
        (
            "next_spend",
            {"candidates": {"logistic_regression": {}}},
            "logistic_regression: no model of a regression",
        ),
        (
            "next_spend",
            {"candidates": {"ridge": {"alfa": 1.0}}},
            "ridge.alfa: ridge has no such parameter; did",
        ),
        ("next_spend", {"search": {"metric": "mape"}}, "search.metric = 'mape': Input should be 'mae', 'rmse' or 'r2'"),
        ("next_spend", {"cold_start": {"value": "mode"}}, "cold_start.value"),
        ("next_spend", {"interval": None}, "gates ask for coverage, and there is no interval"),
        (
            "next_spend",
            {"columns": {"categorial": []}},
            "columns.categorial is no key of a specification",
        ),
        ("next_spend", {"cutoffs": None}, "cutoffs is missing: labels.py asks about entities at cutoffs"),
        ("next_spend", {"class_weights": "balanced"}, "class_weights is no key of a specification"),
        ("fraud", {"periods": None}, "periods is missing: labels.py asks about events at their own time"),
        ("fraud", {"periods": {"fit_days": 0}}, "periods.fit_days = 0"),
        (
            "fraud",
            {"cutoffs": {"spacing_days": 7, "min_history_days": 1, "train": 1, "validation": 1, "test": 1}},
            "cutoffs: labels.py asks about events at their own time, which periods split: leave it out",
        ),
        ("fraud", {"class_weights": {"fraud": 5}}, "a weight for each of genuine, fraud is wanted"),
        ("fraud", {"early_stopping": {"rounds": 0}}, "early_stopping.rounds = 0"),
    ],
)
def test_a_key_of_another_task_or_split_is_named_too(changed_of, use_case, changes, message):
    question = load_use_case(use_case).question
    file = changed_of(use_case, changes)
    with pytest.raises(SpecificationError) as error:
        read_specification(file, question.answer.task, question.moments)
    assert str(file) in str(error.value)
    assert message in str(error.value)
