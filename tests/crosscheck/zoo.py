#!/usr/bin/env python3
"""Judges fettle by ONNX Runtime on real models.

    zoo.py BINARY [MODEL ...]   # without models: the small default set; `all`: everything

Per model: (1) the float outputs of `fettle run` against ONNX Runtime's; (2) `fettle compress`, the
emitted model loaded in ONNX Runtime with Conv and MatMul in integer kernels; (3) the emitted model
run by both, element by element within one quantization step; (4) top-1 of both where there are
labels. Needs ../shared (zoo and data); prints `N passed, N failed, N skipped`.
"""
import json
import os
import subprocess
import sys
import tempfile

EXIT_SKIP = 77
try:
    import h5py
    import numpy as np
    import onnx
    import onnxruntime as ort
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(EXIT_SKIP)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("FETTLE_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
ZOO = os.path.join(SHARED, "zoo")
DEFAULT = ["resnet8_cifar10", "kws_dscnn", "mnist_cntk", "turbofan_lstm", "toycar_autoencoder",
           "dtln_1", "ppocr_cls", "selfie_nhwc"]
ALREADY_QUANTIZED = ["mobilenetv2_int8_qdq", "mobilenetv2_torch_int8_qdq", "mnist_dynamic_int8",
                     "kws_dscnn_int8_qdq", "extension_recommender_int8", "squeezenet11_fp16"]
INTEGER_KERNELS = ("QLinearConv", "QLinearMatMul", "QGemm", "MatMulIntegerToFloat",
                   "DynamicQuantizeMatMul", "MatMulInteger", "ConvInteger")


def session(path, optimized=None, options_level=None):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    if optimized:
        options.optimized_model_filepath = optimized
    if options_level is not None:
        options.graph_optimization_level = options_level
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def samples(path, model, limit):
    """Feeds for each run, by the rule of the data format: equal rank = batch axis, one more = whole."""
    ranks = {i.name: len(i.type.tensor_type.shape.dim) for i in model.graph.input}
    with h5py.File(path) as f:
        keys = [k for k in f if k in ranks]
        count = min(limit, min(f[k].shape[0] for k in keys))
        for i in range(count):
            yield {k: np.asarray(f[k][i:i + 1] if f[k].ndim == ranks[k] else f[k][i]) for k in keys}


def fettle(binary, *arguments, expect=0):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if done.returncode != expect:
        raise RuntimeError(f"fettle {' '.join(arguments[:2])}: exit {done.returncode}: {done.stderr.strip()[-400:]}")
    return done.stdout


def stored_outputs(path, run_shapes):
    with h5py.File(path) as f:
        return {name: f[name][...] for name in run_shapes}


def outputs_of(binary, model_path, data, limit, folder):
    out = os.path.join(folder, "outputs.h5")
    if os.path.exists(out):
        os.remove(out)
    fettle(binary, "run", model_path, "--data", data, "--samples", str(limit), "-o", out, "-q")
    with h5py.File(out) as f:
        found = {}
        f.visititems(lambda name, item: found.__setitem__(name, item[...]) if isinstance(item, h5py.Dataset) else None)
        return found


def reference_outputs(run, feeds):
    names = [o.name for o in run.get_outputs()]
    rows = {n: [] for n in names}
    for feed in feeds:
        for name, value in zip(names, run.run(names, feed)):
            rows[name].append(value)
    return rows


def pairs(ours, theirs):
    for name, rows in theirs.items():
        own = ours[name.strip("/")] if name.strip("/") in ours else ours[name]
        yield name, own.reshape(-1).astype(np.float64), np.concatenate([r.reshape(-1) for r in rows]).astype(np.float64)


def census(path, folder):
    optimized = os.path.join(folder, "optimized.onnx")
    run = session(path, optimized=optimized)
    types = [n.op_type for n in onnx.load(optimized).graph.node]
    integer = sum(types.count(t) for t in INTEGER_KERNELS)
    floating = [t for t in types if t in ("Conv", "FusedConv", "MatMul", "Gemm", "FusedMatMul", "FusedGemm")]
    return run, integer, floating


def output_step(path, name):
    """Scale of the DequantizeLinear that makes the output, or None for a float output."""
    graph = onnx.load(path).graph
    values = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer if i.data_type == 1}
    for node in graph.node:
        if name in node.output and node.op_type == "DequantizeLinear" and node.input[1] in values:
            return float(values[node.input[1]].max())
    return None


def check(binary, name, folder, data_root, limit):
    path = os.path.join(ZOO, "models", name + ".onnx")
    test = os.path.join(data_root, name, "test.h5")
    calib = os.path.join(data_root, name, "calib.h5")
    model = onnx.load(path)
    result = {"model": name}
    feeds = list(samples(test, model, limit))
    ours = outputs_of(binary, path, test, limit, folder)
    worst = 0.0
    for _, a, b in pairs(ours, reference_outputs(session(path), feeds)):
        spread = max(b.max() - b.min(), 1e-12) if b.size else 1.0
        if a.size:
            worst = max(worst, float(np.nanmax(np.abs(a - b))) / spread)
    result["float_error"] = worst
    if name in ALREADY_QUANTIZED:
        return result
    out = os.path.join(folder, "out")
    report = json.loads(fettle(binary, "compress", path, "--data", calib, "--eval-data", test, "-o", out,
                               "--no-bench", "--json"))
    emitted = os.path.join(out, "model.onnx")
    onnx.checker.check_model(emitted, full_check=False)
    run, integer, floating = census(emitted, folder)
    result.update(integer_kernels=integer, float_kernels=len(floating),
                  weight_ratio=round(report["size"]["weight_ratio"], 4))
    if report["accuracy"]["top1_drop"] is not None:
        result["top1_before"] = report["accuracy"]["before"]["top1"]
        result["top1_drop"] = round(report["accuracy"]["top1_drop"], 4)
    else:
        result["sqnr_db"] = [round(o["sqnr_db"], 1) for o in report["accuracy"]["comparison"]["outputs"]][:4]
    ours = outputs_of(binary, emitted, test, limit, folder)
    inside, total = 0, 0
    for output, a, b in pairs(ours, reference_outputs(run, feeds)):
        spread = b.max() - b.min() if b.size else 0
        step = output_step(emitted, output) or max(spread, 1e-12) / 255
        inside += int(np.sum(np.abs(a - b) <= step * 1.001))
        total += a.size
    result["within_step"] = inside / max(total, 1)
    return result


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = os.path.abspath(sys.argv[1])
    if not os.path.isdir(ZOO):
        print(f"SKIPPED: no zoo of models at {ZOO}")
        return EXIT_SKIP
    names = sys.argv[2:] or DEFAULT
    if names == ["all"]:
        names = sorted(n[:-5] for n in os.listdir(os.path.join(ZOO, "models")))
    data_root = os.environ.get("FETTLE_ZOO_DATA")
    limit = int(os.environ.get("FETTLE_ZOO_SAMPLES", "8"))
    with tempfile.TemporaryDirectory() as scratch:
        if not data_root:
            data_root = os.path.join(scratch, "data")
            subprocess.run([sys.executable, os.path.join(ZOO, "prepare.py"), data_root, *names], check=True,
                           stdout=subprocess.DEVNULL)
        passed = failed = skipped = 0
        for name in names:
            if not os.path.exists(os.path.join(data_root, name, "test.h5")):
                print(json.dumps({"model": name, "skipped": "no data"}))
                skipped += 1
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    result = check(binary, name, folder, data_root, limit)
                    good = result["float_error"] <= (2e-2 if "int8" in name or "fp16" in name else 1e-4)
                    good &= result.get("within_step", 1) >= 0.999 and result.get("top1_drop", 0) <= 0.01
                except Exception as error:  # one bad model never stops the others
                    result, good = {"model": name, "error": str(error)[:500]}, False
            result["good"] = bool(good)
            print(json.dumps(result), flush=True)
            passed, failed = passed + bool(good), failed + (not good)
        print(f"{passed} passed, {failed} failed, {skipped} skipped")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
