"""Writes scikit-learn's 8x8 handwritten digits, 1,797 images of ten classes, as digits.npz.

    python3 -m venv .venv && .venv/bin/pip install scikit-learn
    .venv/bin/python make_data.py

Training rows are x [1437, 1, 8, 8], float32 in [0, 1], and y [1437], int64; x_test and y_test are
the other 360. The split is stratified by class.
"""

import argparse
import os

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", default=os.path.join(here, "digits.npz"), help="file to write")
parser.add_argument("--seed", type=int, default=0, help="seed of the split")
args = parser.parse_args()

digits = load_digits()
images = (digits.images / 16).astype(np.float32)[:, None]
labels = digits.target.astype(np.int64)
x, x_test, y, y_test = train_test_split(images, labels, test_size=0.2, random_state=args.seed, stratify=labels)
np.savez_compressed(args.out, x=x, y=y, x_test=x_test, y_test=y_test)
print(f"{args.out}: {len(x)} training images, {len(x_test)} held out")
