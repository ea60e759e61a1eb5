#!/usr/bin/env python3
"""Linear model and random forest of scikit-learn on the very split that lepton-prep made of CSV files.

usage: table_models.py SPLITS.tsv LABEL FILE.csv...
SPLITS.tsv is what `lepton-prep --list DATA.h5` prints; its ids are FILE:LINE. Trained on train and val, measured on
test. Prints model, metric and value as TSV. Numbers are standardised, categories one-hot, missing values the median.
"""
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, average_precision_score, mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def main(splits_path, label, *files):
    split_of = {}
    for line in Path(splits_path).read_text().splitlines():
        row, _, split = line.split("\t")
        split_of[row] = split
    parts = []
    for name in files:
        part = pd.read_csv(name, na_values=["?"], skipinitialspace=True)
        part.index = [f"{Path(name).name}:{line}" for line in range(2, len(part) + 2)]
        parts.append(part)
    table = pd.concat(parts)
    table = table[[row in split_of for row in table.index]]
    test = np.array([split_of[row] == "test" for row in table.index])
    y = table.pop(label)
    numeric = [c for c in table if pd.api.types.is_numeric_dtype(table[c])]
    other = [c for c in table if c not in numeric]
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), other),
    )
    regression = pd.api.types.is_float_dtype(y)
    models = (
        {"linear": LinearRegression(), "forest": RandomForestRegressor(300, random_state=0, n_jobs=1)}
        if regression
        else {"linear": LogisticRegression(max_iter=2000), "forest": RandomForestClassifier(300, random_state=0, n_jobs=1)}
    )
    for name, model in models.items():
        fitted = make_pipeline(encode, model).fit(table[~test], y[~test])
        answers = fitted.predict(table[test])
        if regression:
            found = {
                "mae": mean_absolute_error(y[test], answers),
                "rmse": root_mean_squared_error(y[test], answers),
                "r2": r2_score(y[test], answers),
            }
        else:
            found = {"accuracy": accuracy_score(y[test], answers)}
            if len(fitted.classes_) == 2:  # of the rarer class
                rare = y.value_counts().index[-1]
                column = list(fitted.classes_).index(rare)
                found["pr_auc"] = average_precision_score(y[test] == rare, fitted.predict_proba(table[test])[:, column])
        for metric, value in found.items():
            print(name, metric, f"{value:.4f}", sep="\t")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
