"""The suite `tables` of scripts/bench: accuracy of default runs on tables beside linear models and forests.

Needs --data DIR with tabular/NAME.csv. A case is a table; of each, --rounds divisions into 80/10/10, each trained on
once with no option at all, and measured on the same test rows as scikit-learn's models. Means over the divisions; the
spread is of the ratio between them. Files named for splits are taken as they are. Seeds begin at 101: the defaults were
chosen on divisions by others.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

CASES = ["iris", "wine", "breast_cancer", "pima_diabetes", "banknote_forgery", "german_credit", "diabetes_regression",
         "credit_fraud_sample", "mammography", "adult", "credit_default"]
TARGETS = ["lepton-prep", "lepton-train", "lepton-infer"]
PRECISION = 0.8  # at which recall is told
FIRST_SEED = 101
PACKAGES = {"numpy": "numpy", "sklearn": "scikit-learn"}
HEADER = ("| table | metric | Lepton | linear | forest | ratio to the better (spread) | seconds: Lepton | linear | forest |\n"
          "|---|---|---|---|---|---|---|---|---|")


def files_of(folder, case):
    names = [f"{case}_train.csv", f"{case}_test.csv"]
    if not os.path.exists(os.path.join(folder, names[0])):
        names = [f"{case}.csv"]
    return [os.path.join(folder, name) for name in names]


def label_of(path):
    with open(path, encoding="utf-8") as file:
        names = [name.strip() for name in file.readline().rstrip("\n").split(",")]
    return next((name for name in names if name.lower() in ("label", "target", "class")), names[-1])


def measure(files, seed, args, python, bin_folder, scratch):
    """One division: model -> metric -> value, with seconds of training."""
    data, model, answers, splits = (os.path.join(scratch, name) for name in ("d.h5", "m.h5", "answers.tsv", "splits.tsv"))
    tool = lambda name, *more: [os.path.join(bin_folder, f"lepton-{name}"), "-q", *more]
    subprocess.run(tool("prep", "--seed", str(seed), *files, "-o", data), check=True)
    begun = time.perf_counter()
    subprocess.run(tool("train", "--seed", str(seed), "-j", str(args.threads), data, "-o", model), check=True)
    seconds = time.perf_counter() - begun
    with open(answers, "w", encoding="utf-8") as out:
        command = tool("infer", model, f"{data}:test", "--header")
        probabilities = subprocess.run([*command, "--probs"], stdout=out, stderr=subprocess.DEVNULL).returncode == 0
    if not probabilities:  # a model of numbers has none
        with open(answers, "w", encoding="utf-8") as out:
            subprocess.run(command, stdout=out, check=True)
    with open(splits, "w", encoding="utf-8") as out:
        subprocess.run(tool("prep", "--list", data), stdout=out, check=True)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "table_models.py")
    pinned = dict(os.environ, OMP_NUM_THREADS=str(args.threads), OPENBLAS_NUM_THREADS=str(args.threads))
    found = json.loads(subprocess.run([python, script, answers, str(PRECISION), label_of(files[0]), splits, *files],
                                      check=True, text=True, capture_output=True, env=pinned).stdout)
    found["Lepton"]["seconds"] = seconds
    return found


def suite(args, cases, python, bin_folder):
    folder = os.path.join(args.data or "", "tabular")
    for case in cases or CASES:
        files = files_of(folder, case)
        if not args.data or not os.path.exists(files[0]):
            print(f"bench: skipped: tables needs --data DIR with tabular/{case}.csv", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as scratch:
            runs = [measure(files, FIRST_SEED + seed, args, python, bin_folder, scratch) for seed in range(args.rounds)]
        mean = lambda model, metric: statistics.mean(run[model][metric] for run in runs)
        for metric in runs[0]["Lepton"]:
            if metric == "seconds":
                continue
            smaller = metric == "rmse"
            better = (min if smaller else max)(("linear", "forest"), key=lambda model: mean(model, metric))
            ratios = [(run[better][metric] / run["Lepton"][metric]) if smaller else
                      (run["Lepton"][metric] / max(run[better][metric], 1e-9)) for run in runs]
            ours, theirs = mean("Lepton", metric), mean(better, metric)
            yield {"suite": "tables", "case": case, "precision": "fp32", "unit": metric, "ours": ours,
                   "best_peer": theirs, "peer": better, "ratio": theirs / ours if smaller else ours / max(theirs, 1e-9),
                   "ratio_low": min(ratios), "ratio_high": max(ratios), "must": None, "goal": None, "met": None,
                   "peers": {model: mean(model, metric) for model in ("linear", "forest")}, "divisions": len(runs),
                   "seconds": {model: mean(model, "seconds") for model in ("Lepton", "linear", "forest")}}


def print_row(r):
    metric = f"recall at precision {PRECISION}" if r["unit"] == "recall" else r["unit"]
    seconds = " | ".join(f"{r['seconds'][model]:.2g}" for model in ("Lepton", "linear", "forest"))
    print(f"| {r['case']} | {metric} | {r['ours']:.4g} | {r['peers']['linear']:.4g} | {r['peers']['forest']:.4g} "
          f"| {r['ratio']:.3f} ({r['ratio_low']:.3f}-{r['ratio_high']:.3f}) | {seconds} |", flush=True)
