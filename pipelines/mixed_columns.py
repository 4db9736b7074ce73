"""A ColumnTransformer over numbers, strings, categories and missing values in named columns.

What a table from a database looks like: the pipeline holds column names, category values
and imputed means: many small objects of many types.
"""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from persistbench import Case
from pipelines._data import HELD_OUT, labels

CITIES = [f"city {number:03d}" for number in range(200)]
GRADES = ["low", "middle", "high"]

# skops asks about it: a description of bytes, which runs nothing.
TRUSTED = ("numpy.dtype",)


def build() -> Case:
    """Fit on 2,000 rows of two numbers, a string, a category and one of ten numbers missing."""
    rng = np.random.default_rng(0)
    size = 2_000 + HELD_OUT
    income = rng.lognormal(10, 1, size)
    age = rng.integers(18, 90, size).astype(float)
    age[rng.random(size) < 0.1] = np.nan
    city = rng.integers(0, len(CITIES), size)
    grade = rng.integers(0, len(GRADES), size)
    target = labels(np.log(income) + grade + city / 100 + rng.standard_normal(size))
    table = pd.DataFrame(
        {
            "income": income,
            "age": age,
            "city": np.array(CITIES, dtype=object)[city],
            "grade": pd.Categorical.from_codes(grade, GRADES, ordered=True),
        }
    )
    table.loc[rng.random(size) < 0.05, "city"] = None
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["income", "age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        (OrdinalEncoder(categories=[GRADES]), ["grade"]),
    )
    estimator = make_pipeline(columns, LogisticRegression(max_iter=1_000))
    estimator.fit(table[:-HELD_OUT], target[:-HELD_OUT])
    return Case(estimator, table[-HELD_OUT:], target[-HELD_OUT:])
