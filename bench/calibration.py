#!/usr/bin/env python3
"""What min-max calibration costs beside the bare inferences.

    calibration.py BINARY [MODEL ...] [--samples N] [--threads N] [--rounds N] [--keep FOLDER]

A bare inference is that of the optimized model, which is what is calibrated, in fettle's own executor.
Calibration is measured twice: of the values that the INT8 model needs (`fettle quantize`) and of every
activation, whether a fused step would skip it or not (`fettle calibrate`). The time per sample is that of N
samples less that of one, so that start-up (reading, optimizing, the first run) is apart; small models get
more samples, which then last half a second. Medians over the rounds:

    run      ms of a bare inference
    needed   ms per sample, of the values needed; its ratio to a bare inference, at most 1.25
    all      the same of all activations
    start    ms of start-up of `fettle calibrate`
    whole    time of `fettle calibrate` with N samples / time of as many bare inferences

Models: a ResNet-50 with random weights, and some of the zoo in ../shared (or $FETTLE_SHARED), whose samples
are repeated as needed. Exit code 1: a ratio of `needed` beyond the target.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import compress_resnet50
from models import SHARED, fettle

TARGET = 1.25
LEAST_SECONDS, MOST_SAMPLES = 0.5, 8192  # of the timed samples
ZOO = ("mobilenetv2", "resnet20_cifar10", "yolox_nano", "keyword_transformer", "kws_dscnn")


def write_samples(path, arrays):
    with h5py.File(path, "w") as f:
        for name, array in arrays.items():
            f.create_dataset(name, data=array)  # contiguous, h5py's default


def repeated(source, samples):
    """The first samples of a file, over and over."""
    with h5py.File(source, "r") as f:
        return {name: f[name][:][np.arange(samples) % f[name].shape[0]] for name in f if name != "labels"}


def resnet50(folder):
    model, data = os.path.join(folder, "resnet50.onnx"), os.path.join(folder, "resnet50.h5")
    compress_resnet50.make_model(model)
    write_samples(data, {"image": np.random.RandomState(1).randn(8, 3, 224, 224).astype(np.float32)})
    return model, data


def zoo_model(name, folder):
    """Model and data, or None where the zoo is not there."""
    zoo = os.path.join(SHARED, "zoo")
    if not os.path.isdir(zoo):
        return None
    prepared = os.environ.get("FETTLE_ZOO_DATA", os.path.join(folder, "zoo_data"))
    data = os.path.join(prepared, name, "calib.h5")
    if not os.path.exists(data):
        subprocess.run([sys.executable, os.path.join(zoo, "prepare.py"), prepared, name], check=True,
                       stdout=subprocess.DEVNULL)
    return os.path.join(zoo, "models", name + ".onnx"), data


class Timer:
    def __init__(self, arguments, model, source, folder):
        self.binary, self.model, self.source, self.folder = arguments.binary, model, source, folder
        self.threads = str(arguments.threads)
        self.options = ["--threads", self.threads]
        self.data = os.path.join(folder, "samples.h5")
        self.optimized = os.path.join(folder, "optimized.onnx")
        fettle(self.binary, "optimize", model, "-o", self.optimized, "--no-check", *self.options)

    def bare(self, count):
        """Mean seconds of `count` runs in a row, by the process that `fettle bench` starts. (The bench itself
        pauses between bursts of runs, and calibration does not.)"""
        command = [self.binary, "bench-worker", self.optimized, "fettle", self.source, self.threads, "0", "fast", "",
                   str(1 << 40)]
        done = subprocess.run(command, input=f"run 3\nrun {count}\n", capture_output=True, text=True, check=True)
        times = [float(t) / 1e3 for t in done.stdout.splitlines()[2].split()]
        return sum(times) / len(times)

    def seconds(self, command, samples):
        start = time.perf_counter()
        fettle(self.binary, command, self.model, "--data", self.data, "-o", os.path.join(self.folder, "out.onnx"), "-q",
               "--samples", str(samples), *self.options)
        return time.perf_counter() - start

    def per_sample(self, command, samples):
        """Seconds per sample, and of what happens once."""
        first, whole = self.seconds(command, 1), self.seconds(command, samples)
        sample = (whole - first) / (samples - 1)
        return sample, first - sample


def measure(name, arguments, made, folder):
    """Prints one line; returns the ratio of the values needed."""
    timer = Timer(arguments, *made, folder)
    count = min(max(arguments.samples, int(LEAST_SECONDS / timer.bare(5))), MOST_SAMPLES)
    write_samples(timer.data, repeated(timer.source, count))
    rounds = []
    for _ in range(arguments.rounds):
        run = timer.bare(count)
        needed, _ = timer.per_sample("quantize", count)
        every, start = timer.per_sample("calibrate", count)
        whole = (start + every * arguments.samples) / (run * arguments.samples)
        rounds.append((1e3 * run, 1e3 * needed, needed / run, 1e3 * every, every / run, 1e3 * start, whole))
    run, needed, ratio, every, every_ratio, start, whole = (statistics.median(r) for r in zip(*rounds))
    print(f"{name:22} {run:9.3f} {needed:9.3f} {ratio:6.2f} {every:9.3f} {every_ratio:6.2f} {start:9.1f} {whole:7.2f}",
          flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("models", nargs="*", default=["resnet50", *ZOO])
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", help="keep models and data in this folder")
    arguments = parser.parse_args()
    if arguments.samples < 2:
        parser.error("--samples: at least 2")
    slow = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or scratch
        os.makedirs(folder, exist_ok=True)
        print(f"{'model':22} {'run':>9} {'needed':>9} {'ratio':>6} {'all':>9} {'ratio':>6} {'start':>9} {'whole':>7}")
        for name in arguments.models:
            made = resnet50(folder) if name == "resnet50" else zoo_model(name, folder)
            if made is None:
                print(f"{name}: SKIPPED, {SHARED} does not exist", file=sys.stderr)
            elif measure(name, arguments, made, folder) > TARGET:
                slow.append(name)
    print(f"values needed, beyond {TARGET}: {', '.join(slow) if slow else 'none'}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
