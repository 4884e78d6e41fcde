"""The columns of scikit-learn's encoders go back to their features, however these are called."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from ml_modeling.evaluation.columns import UnexplainableModelError, features_of

FEATURES = ("shop", "shop_1", "missingindicator_shop", "amount")


def test_names_that_look_like_each_others_categories_are_kept_apart():
    x = np.array([[1.0, 1.0, 1.0, np.nan], [2.0, 1.0, 2.0, 3.0], [3.0, np.nan, 3.0, 4.0], [4.0, 2.0, 4.0, 5.0]])
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=3, sparse_output=False)
    parts = [("categories", encoder, [0, 1, 2]), ("numbers", SimpleImputer(add_indicator=True), [3])]
    prepared = ColumnTransformer(parts, verbose_feature_names_out=False).fit(x)
    columns = prepared.get_feature_names_out(FEATURES)
    assert {"shop_3.0", "shop_1_1.0", "shop_infrequent_sklearn", "shop_1_nan", "missingindicator_shop_3.0"} <= {
        *columns
    }
    assert [FEATURES[place] for place in features_of(columns, FEATURES)] == [
        *["shop"] * 3, *["shop_1"] * 3, *["missingindicator_shop"] * 3, "amount", "amount",
    ]  # fmt: skip


def test_a_column_of_nobody_is_named():
    with pytest.raises(UnexplainableModelError, match="column 'pca0' is made of"):
        features_of(["pca0"], FEATURES)
