#!/usr/bin/env python3
"""Logistic (or linear) regression and a random forest of scikit-learn on the very split that lepton-prep made of CSV
files, beside Lepton's own answers, all measured by the same functions.

usage: table_models.py ANSWERS.tsv PRECISION LABEL SPLITS.tsv FILE.csv...
SPLITS.tsv is what `lepton-prep --list DATA.h5` prints; its ids are FILE:LINE. ANSWERS.tsv is what `lepton-infer --probs
--header MODEL.h5 DATA.h5:test` prints. The peers learn from train and val, all are measured on test. Numbers are
standardised, categories one-hot, missing values the median. Prints one JSON object: model -> metric -> value; of two
classes pr_auc and recall (at a precision of at least PRECISION) are those of the rarer one. Needs scikit-learn.
"""
import csv
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression

MISSING = {"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null"}


def tsv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file]


def read_rows(files, split_of, label):
    """Rows of all files as dictionaries, their labels and splits, where lepton-prep kept them."""
    rows, labels, splits, ids = [], [], [], []
    for name in files:
        with open(name, newline="", encoding="utf-8") as file:
            for line, row in enumerate(csv.DictReader(file, skipinitialspace=True), start=2):
                rows.append({column.strip(): value.strip() for column, value in row.items()})
                ids.append(f"{Path(name).name}:{line}")
    kept = [i for i, row_id in enumerate(ids) if row_id in split_of]
    for i in kept:
        labels.append(rows[i].pop(label))
        splits.append(split_of[ids[i]])
    return [rows[i] for i in kept], np.array(labels), np.array(splits), [ids[i] for i in kept]


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def encode(rows, train):
    """Columns as arrays: standardised numbers, one-hot categories of the training rows."""
    columns = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        there = [v for v in values if v not in MISSING]
        if all(number(v) is not None for v in there):
            x = np.array([np.nan if v in MISSING else float(v) for v in values])
            x[np.isnan(x)] = np.nanmedian(x[train])
            spread = x[train].std()
            columns.append((x - x[train].mean()) / (spread if spread > 0 else 1))
        else:
            levels = sorted({v for v, t in zip(values, train) if t})
            columns += [np.array([v == level for v in values], dtype=float) for level in levels]
    return np.stack(columns, axis=1)


def of_classes(truth, given, score, rare, precision):
    found = {"accuracy": metrics.accuracy_score(truth, given)}
    if rare is not None:
        found["pr_auc"] = metrics.average_precision_score(truth == rare, score)
        precisions, recalls, _ = metrics.precision_recall_curve(truth == rare, score)
        found["recall"] = max(r for p, r in zip(precisions, recalls) if p >= precision)
    return found


def main(answers_path, precision, label, splits_path, *files):
    split_of = {row[0]: row[2] for row in tsv(splits_path)}
    rows, y, splits, ids = read_rows(files, split_of, label)
    test = splits == "test"
    x = encode(rows, ~test)
    header, *answers = tsv(answers_path)
    answer_of = {row[0]: row for row in answers}
    given = [answer_of[i] for i, t in zip(ids, test) if t]
    regression = len(header) < 4  # no probabilities of classes
    result = {}
    if regression:
        y = y.astype(float)
        error = metrics.root_mean_squared_error
        result["Lepton"] = {"rmse": error(y[test], [float(row[1]) for row in given])}
        models = {"linear": LinearRegression(), "forest": RandomForestRegressor(300, random_state=0)}
    else:
        names, counts = np.unique(y, return_counts=True)
        rare = names[counts.argmin()] if len(names) == 2 else None
        score = None
        if rare is not None:
            own = header.index(f"p:{rare}")
            other = 7 - own  # the two last of five columns
            score = [float(row[own]) / max(float(row[other]), 1e-30) for row in given]
        result["Lepton"] = of_classes(y[test], [row[1] for row in given], score, rare, float(precision))
        models = {"linear": LogisticRegression(max_iter=2000), "forest": RandomForestClassifier(300, random_state=0)}
    for name, model in models.items():
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x[~test], y[~test])
        seconds = time.perf_counter() - begun
        if regression:
            result[name] = {"rmse": error(y[test], model.predict(x[test]))}
        else:
            score = model.predict_proba(x[test])[:, list(model.classes_).index(rare)] if rare is not None else None
            result[name] = of_classes(y[test], model.predict(x[test]), score, rare, float(precision))
        result[name]["seconds"] = seconds
    print(json.dumps(result))


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
