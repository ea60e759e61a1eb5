"""The suite `text` of scripts/bench: Lepton's default beside fastText on the same lines, three rows a set.

accuracy on test.tsv; seconds of everything from the lines to a model on disk (whole processes); seconds of training
(lepton-train's whole process; fastText's train_supervised alone). fastText: 25 epochs at rate 0.5 as its tutorial for
small sets has it, words and pairs of words, or one to three characters where texts have no spaces.
"""
import os
import subprocess
import sys
import tempfile
import time

# Set: what it must reach, fastText's variant.
SETS = {"trec6": (0.90, "bigram"), "mr": (0.76, "bigram"), "sst2": (0.81, "bigram"), "sms_spam": (0.98, "bigram"),
        "agnews_small": (0.87, "bigram"), "thucnews_titles": (0.86, "zh"), "waimai_zh": (0.90, "zh")}


def python_with_fasttext(root, given):
    """The interpreter named, or one of a virtual environment under build/ that has fastText."""
    if given:
        return given
    home = os.path.join(root, "build", "peers-text")
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    if subprocess.run([python, "-c", "import fasttext"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "-q", "fasttext-numpy2-wheel"], check=True)
    return python


def seconds(command, environment):
    begun = time.perf_counter()
    done = subprocess.run(command, check=True, text=True, capture_output=True, env=environment)
    return time.perf_counter() - begun, done.stdout


def ours(tools, folder, scratch, environment):
    data, model = os.path.join(scratch, "d.h5"), os.path.join(scratch, "m.h5")
    for old in (data, model):
        if os.path.exists(old):
            os.unlink(old)
    prepared, _ = seconds([os.path.join(tools, "lepton-prep"), "-q", "-o", data, folder], environment)
    trained, _ = seconds([os.path.join(tools, "lepton-train"), "-q", data, "-o", model], environment)
    _, report = seconds([os.path.join(tools, "lepton-eval"), "-q", model, data], environment)
    accuracy = next(float(line.split("\t")[2]) for line in report.splitlines() if line.split("\t")[1] == "accuracy")
    return accuracy, prepared + trained, trained


def fasttext(python, script, folder, variant, threads, scratch, environment):
    model = os.path.join(scratch, "m.bin")
    whole, report = seconds([python, script, folder, "--train", model, str(threads), variant], environment)
    trained = float(report.split()[0])
    _, report = seconds([python, script, folder, "--test", model], environment)
    return float(report.split()[0]), whole, trained


def suite(args, sets, root, tools, row):
    """Rows of the sets that --data has; row is that of scripts/bench."""
    folder_of = lambda name: os.path.join(args.data or "", "text", name)
    there = [name for name in sets or SETS if args.data and os.path.exists(os.path.join(folder_of(name), "train.tsv"))]
    if not there:
        print("bench: skipped: text needs --data DIR with text/SET/{train,test}.tsv", file=sys.stderr)
        return
    python = python_with_fasttext(root, args.peer_python)
    script = os.path.join(root, "scripts", "peers", "fasttext_run.py")
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    for name in there:
        must, variant = SETS[name]
        with tempfile.TemporaryDirectory() as scratch:
            mine, theirs = [], []
            for _ in range(args.rounds):
                mine.append(ours(tools, folder_of(name), scratch, environment))
                theirs.append(fasttext(python, script, folder_of(name), variant, args.threads, scratch, environment))
        peer = f"fastText {variant}"
        for place, (kind, unit) in enumerate([("text", "accuracy"), ("text-whole", "s"), ("text-train", "s")]):
            result = row(kind, name, "fp32", unit, [one[place] for one in mine], {peer: [one[place] for one in theirs]})
            if kind == "text":
                result |= {"floor": must, "met": result["ours"] >= must}
            yield result
