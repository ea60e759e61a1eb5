"""fastText's side of a comparison on texts: FOLDER with train.tsv, test.tsv (label<TAB>text) [word|bigram|char]...

Trains on all of train.tsv with fastText's own defaults (epochs 25, learning rate 0.5, as its tutorial for small sets)
and prints a line a variant: name, accuracy on test.tsv, seconds of training. Needs the Python package fasttext.
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
        yield label, text


def main(folder, variants):
    folder = pathlib.Path(folder)
    test = list(rows(folder / "test.tsv"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as train:
        for label, text in rows(folder / "train.tsv"):
            train.write(f"__label__{label.replace(' ', '_')} {text}\n")
        train.flush()
        for name in variants or VARIANTS:
            begun = time.perf_counter()
            model = fasttext.train_supervised(train.name, epoch=25, lr=0.5, thread=2, verbose=0, **VARIANTS[name])
            seconds = time.perf_counter() - begun
            right = 0
            for label, text in test:
                guess = model.f.predict(text + "\n", 1, 0.0, "strict")
                right += bool(guess) and guess[0][1] == "__label__" + label.replace(" ", "_")
            print(f"fasttext {name}\t{right / len(test):.4f}\t{seconds:.2f}")


main(sys.argv[1], sys.argv[2:])
