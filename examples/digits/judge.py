"""Accuracy on generated digits of a support vector machine that is trained on real ones: the share of
samples that it recognises as their labels.

    triflow generate --run RUN --n 200 --out samples.npz
    .venv/bin/python judge.py samples.npz
"""

import argparse
import os

import numpy as np
from sklearn.svm import SVC

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("samples", nargs="+", help="files written by `triflow generate`")
parser.add_argument("--data", default=os.path.join(here, "digits.npz"), help="real digits")
args = parser.parse_args()


def rows(images):
    return images.reshape(len(images), -1)


data = np.load(args.data)
judge = SVC(C=10).fit(rows(data["x"]), data["y"])
print(f"real held-out digits: {100 * judge.score(rows(data['x_test']), data['y_test']):.2f} %")
for path in args.samples:
    file = np.load(path)
    accuracy = judge.score(rows(file["samples"]), file["labels"])
    print(f"{path}: {100 * accuracy:.2f} % of {len(file['labels'])}")
