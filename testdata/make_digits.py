#!/usr/bin/env python3
"""Write the bundled data sets from scikit-learn's load_digits.

    python3 make_digits.py [FOLDER]

FOLDER (default: this script's) receives digits_calib.h5 and digits_test.h5, each with the dataset
`image`, float32 [N, 1, 8, 8] in [0, 1], and `labels`, int64 [N]. Needs numpy, scikit-learn, h5py.
"""
import os
import sys

import h5py
import numpy as np
from sklearn.datasets import load_digits

CALIBRATION = 256
TEST = 512
SEED = 20240229


def split():
    """{"calib", "test", "train"} -> (images float32 [N, 1, 8, 8], labels int64 [N])."""
    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)  # pixels are counts 0..16
    labels = digits.target.astype(np.int64)
    order = np.random.Generator(np.random.PCG64(SEED)).permutation(len(images))
    ends = (CALIBRATION, CALIBRATION + TEST)
    parts = dict(calib=order[:ends[0]], test=order[ends[0]:ends[1]], train=order[ends[1]:])
    return {name: (images[index], labels[index]) for name, index in parts.items()}


def write(path, images, labels):
    with h5py.File(path, "w") as file:
        for name, array in (("image", images), ("labels", labels)):
            chunk = (min(64, len(array)),) + array.shape[1:]
            file.create_dataset(name, data=array, chunks=chunk, compression="gzip",
                                compression_opts=9, shuffle=True, track_times=False)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    parts = split()
    for name in ("calib", "test"):
        write(os.path.join(folder, f"digits_{name}.h5"), *parts[name])


if __name__ == "__main__":
    main()
