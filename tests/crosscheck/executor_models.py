#!/usr/bin/env python3
"""The executor against itself on real models: any number of threads, and reference kernels.

    executor_models.py BINARY [MODEL ...]   # without models: the bundled ones and the small zoo set; `all`

Per model, float32 and as `fettle compress` makes it: outputs with one, two and three threads are identical,
and within tolerance of those of the reference kernels (`--exact`) where these take no more than
FETTLE_EXACT_MACS multiply-accumulates. Prints `N passed, N failed, N skipped`.
"""
import json
import os
import sys
import tempfile

EXIT_SKIP = 77
try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(EXIT_SKIP)

from zoo import ALREADY_QUANTIZED, SHARED, ZOO, fettle

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXACT_MACS = int(os.environ.get("FETTLE_EXACT_MACS", "60000000"))
TOLERANCE = 1e-4  # of the output's range, float32
BUNDLED = ["digits_resnet", "digits_dscnn", "digits_mlp", "digits_lstm"]
SMALL = ["resnet8_cifar10", "kws_dscnn", "mnist_cntk", "turbofan_lstm", "dtln_1", "dtln_2", "gtcrn_simplified",
         "mobilenetv1_025_128", "ppocr_cls", "silero_vad_16k", "capp_gpt_kvcache", "stories_llama", "yunet_dynamic",
         "kws_dscnn_int8_qdq", "mnist_dynamic_int8"]


def outputs(binary, model, data, folder, *options):
    """All outputs of two samples, by name."""
    path = os.path.join(folder, "outputs.h5")
    if os.path.exists(path):
        os.remove(path)
    fettle(binary, "run", model, "--data", data, "--samples", "2", "-o", path, "-q", *options)
    found = {}
    with h5py.File(path) as f:
        f.visititems(lambda name, item: found.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
    return found


def difference(reference, other, integer):
    """Difference as a part of the reference's range, the worst output's: largest, or mean of `integer` networks,
    where one step of an early tensor, decided otherwise at a tie, can grow. NaN equals NaN."""
    worst = 0.0
    for name, a in reference.items():
        b = other[name].astype(np.float64)
        a = a.astype(np.float64)
        both = np.isfinite(a) & np.isfinite(b)
        if not np.array_equal(a[~both], b[~both], equal_nan=True):
            return float("inf")
        if both.any():
            spread = max(a[both].max() - a[both].min(), np.abs(a[both]).max() * 1e-3, 1e-12)
            gap = np.abs(a[both] - b[both])
            worst = max(worst, float(gap.mean() if integer else gap.max()) / spread)
    return worst


def check(binary, name, model, data, folder, integer):
    one = outputs(binary, model, data, folder, "--threads", "1")
    for threads in ("2", "3"):
        other = outputs(binary, model, data, folder, "--threads", threads)
        for key, values in one.items():
            if values.tobytes() != other[key].tobytes():
                return f"{name}: output '{key}' differs between 1 and {threads} threads"
    macs = json.loads(fettle(binary, "inspect", model, "--json"))["macs"] or 0
    if macs > EXACT_MACS:
        print(f"{name}: threads agree; too large for reference kernels ({macs} multiply-accumulates)")
        return ""
    worst = difference(outputs(binary, model, data, folder, "--exact"), one, integer)
    limit = 0.01 if integer else TOLERANCE
    print(f"{name}: threads agree; {worst:.2e} of the range from the reference kernels")
    return "" if worst <= limit else f"{name}: {worst:.2e} of the range from the reference kernels, expected at most {limit}"


def subjects(arguments, data_root):
    for name in BUNDLED:
        yield name, os.path.join(ROOT, "testdata", name + ".onnx"), os.path.join(ROOT, "testdata", "digits_calib.h5")
    if not os.path.isdir(ZOO):
        print(f"SKIPPED: the zoo's models; {SHARED} does not exist")
        return
    names = [m for m in arguments if m != "all"] or SMALL
    if "all" in arguments:
        names = sorted(f[:-5] for f in os.listdir(os.path.join(ZOO, "models")))
    import subprocess
    for name in names:
        data = os.path.join(data_root, name, "calib.h5")
        if not os.path.exists(data):
            subprocess.run([sys.executable, os.path.join(ZOO, "prepare.py"), data_root, name], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield name, os.path.join(ZOO, "models", name + ".onnx"), data


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = os.path.abspath(sys.argv[1])
    passed, skipped, failures = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        data_root = os.environ.get("FETTLE_ZOO_DATA", os.path.join(folder, "data"))
        for name, model, data in subjects(sys.argv[2:], data_root):
            if not os.path.exists(data):
                print(f"SKIPPED: {name}: no data")
                skipped += 1
                continue
            forms = [(name, model, name in ALREADY_QUANTIZED)]
            try:
                if name not in ALREADY_QUANTIZED:
                    out = os.path.join(folder, "int8")
                    fettle(binary, "compress", model, "--data", data, "--samples", "4", "--eval-samples", "1",
                           "--no-bench", "-q", "-o", out)
                    forms.append((name + " (INT8)", os.path.join(out, "model.onnx"), True))
                for label, path, integer in forms:
                    problem = check(binary, label, path, data, folder, integer)
                    passed += not problem
                    if problem:
                        failures.append(problem)
            except RuntimeError as error:
                failures.append(f"{name}: {error}")
    for failure in failures:
        print("FAILED:", failure)
    print(f"{passed} passed, {len(failures)} failed, {skipped} skipped")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
