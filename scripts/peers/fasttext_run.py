"""fastText's side of a comparison on texts: FOLDER with train.tsv and test.tsv, lines of label<TAB>text.

FOLDER --train MODEL THREADS VARIANT: trains on all of train.tsv, 25 epochs at a rate of 0.5 as fastText's tutorial for
small sets has it, saves, prints the seconds of training. FOLDER --test MODEL: prints the accuracy on test.tsv.
Needs the Python package fasttext.
"""
import pathlib
import sys
import tempfile
import time

import fasttext

VARIANTS = {
    "word": {"wordNgrams": 1},
    "bigram": {"wordNgrams": 2, "bucket": 1 << 17},
    "char": {"wordNgrams": 2, "minn": 3, "maxn": 6, "bucket": 1 << 17},
    "zh": {"wordNgrams": 2, "minn": 1, "maxn": 3, "bucket": 1 << 17},
}


def rows(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        label, text = line.split("\t", 1)
        yield "__label__" + label.replace(" ", "_"), text


def train(folder, target, threads, variant):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as lines:
        for label, text in rows(folder / "train.tsv"):
            lines.write(f"{label} {text}\n")
        lines.flush()
        begun = time.perf_counter()
        model = fasttext.train_supervised(lines.name, epoch=25, lr=0.5, thread=int(threads), verbose=0, **VARIANTS[variant])
        print(f"{time.perf_counter() - begun:.3f}")
        model.save_model(target)


def test(folder, source):
    model = fasttext.load_model(source)
    right = total = 0
    for label, text in rows(folder / "test.tsv"):
        guess = model.f.predict(text + "\n", 1, 0.0, "strict")  # the Python layer's own trips over numpy 2
        right += bool(guess) and guess[0][1] == label
        total += 1
    print(f"{right / total:.4f}")


if sys.argv[2] == "--train":
    train(pathlib.Path(sys.argv[1]), *sys.argv[3:])
else:
    test(pathlib.Path(sys.argv[1]), sys.argv[3])
