#!/usr/bin/env python3
"""How other implementations fare on the conformance cases.

    conformance_peers.py FOLDER [--suite node]

Runs every case of a suite (FOLDER/<suite>/<case>/{model.onnx,test_data_set_0}) in ONNX Runtime and in
the `onnx` package's own reference evaluator, each case in the same way and with the tolerances of
ONNX's backend tests, and prints `N passed, N failed` for both, cases of the ai.onnx and ai.onnx.ml
domains only (training and preview domains are left out). A crash of a child process is a failure.
"""
import argparse
import collections
import glob
import multiprocessing
import os
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper


def load(path, kind):
    with open(path, "rb") as f:
        data = f.read()
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def values(folder, prefix, declared):
    count = len(glob.glob(os.path.join(folder, f"{prefix}_*.pb")))
    return [load(os.path.join(folder, f"{prefix}_{i}.pb"), declared[i].type.WhichOneof("value")) for i in range(count)]


def same(actual, expected):
    if isinstance(expected, list):
        return isinstance(actual, (list, tuple)) and len(actual) == len(expected) and all(map(same, actual, expected))
    if expected is None or actual is None:
        return actual is expected
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return False
    if expected.dtype.kind in "OSU":
        return bool(np.array_equal(actual.astype(object), expected.astype(object)))
    if expected.dtype.kind in "biu":
        return bool(np.array_equal(actual, expected))
    kind = expected.dtype.name
    rtol = 1.6e-2 if kind == "bfloat16" else 2e-3 if kind == "float16" else 1e-3
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    return bool(np.allclose(actual.astype(wide), expected.astype(wide), rtol=rtol,
                            atol=1e-3 if kind in ("bfloat16", "float16") else 1e-7, equal_nan=True))


def run_case(job):
    engine, folder = job
    warnings.simplefilter("ignore")
    try:
        model = onnx.load(os.path.join(folder, "model.onnx"))
        data = os.path.join(folder, "test_data_set_0")
        inputs, expected = values(data, "input", model.graph.input), values(data, "output", model.graph.output)
        feeds = {i.name: v for i, v in zip(model.graph.input, inputs)}
        if engine == "onnxruntime":
            import onnxruntime as ort
            options = ort.SessionOptions()
            options.log_severity_level = 4
            session = ort.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
            actual = session.run(None, feeds)
        else:
            from onnx.reference import ReferenceEvaluator
            actual = ReferenceEvaluator(model).run(None, feeds)
        return all(map(same, actual, expected))
    except BaseException:
        return False


def in_standard(folder):
    model = onnx.load(os.path.join(folder, "model.onnx"))
    return all(o.domain in ("", "ai.onnx", "ai.onnx.ml") for o in model.opset_import)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--suite", default="node")
    arguments = parser.parse_args()
    cases = [c for c in sorted(glob.glob(os.path.join(arguments.folder, arguments.suite, "test_*"))) if in_standard(c)]
    for engine in ("onnxruntime", "reference evaluator"):
        results = collections.Counter()
        with multiprocessing.Pool(2, maxtasksperchild=50) as pool:
            jobs = [pool.apply_async(run_case, ((engine, c),)) for c in cases]
            for case, job in zip(cases, jobs):
                try:
                    results[job.get(timeout=60)] += 1
                except multiprocessing.TimeoutError:
                    print(f"{engine}: {os.path.basename(case)} crashed or hung", file=sys.stderr)
                    results[False] += 1
        print(f"{engine}: {results[True]} passed, {results[False]} failed", flush=True)


if __name__ == "__main__":
    main()
