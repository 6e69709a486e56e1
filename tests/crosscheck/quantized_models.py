#!/usr/bin/env python3
"""What ONNX Runtime makes of quantized models: which integer kernels they become, and what they cost.

    quantized_models.py BINARY [MODEL ...]   # MODEL: names of the shared zoo; default: a small set

1. Small graphs, one per emission rule: quantized by `fettle quantize`, loaded with every
   optimization, and the optimized graph compared with the kernels expected.
2. The bundled networks in every mode: integer kernels and top-1 against float.
3. Models of ../shared/zoo, where present: the same, with data made by its prepare.py.
Every emitted model must pass onnx.checker with full type checks. Exit 77 when it cannot run.
"""
import collections
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
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(EXIT_SKIP)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("FETTLE_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
FLOAT_KERNELS = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"}
RANDOM = np.random.default_rng(0)


def session(path, optimized=None):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if optimized:
        options.optimized_model_filepath = optimized
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def quantize(binary, model, out, mode, *arguments):
    done = subprocess.run([binary, "quantize", model, "-o", out, "--mode", mode, "-q", *arguments],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"fettle quantize: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    onnx.checker.check_model(out, full_check=True)


def census(path, folder):
    """Loads the model with every optimization; its session and the operators that really run."""
    optimized = os.path.join(folder, "optimized.onnx")
    loaded = session(path, optimized)
    return loaded, collections.Counter(n.op_type for n in onnx.load(optimized).graph.node)


def weight(name, *shape):
    return numpy_helper.from_array((RANDOM.standard_normal(shape) * 0.3).astype(np.float32), name)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], output + "_node", **attributes)


# name, mode, opset, input shape, weights {name: shape}, nodes, kernels expected (at least),
# operators that must not be left. The last output is the graph's.
CONV3 = {"pads": [1, 1, 1, 1]}
CASES = [
    ("conv_relu_conv", "static", 13, [1, 8, 12, 12], {"w": (8, 8, 3, 3), "b": (8,)},
     [node("Conv", "x w b", "c", **CONV3), node("Relu", "c", "r"), node("Conv", "r w b", "y", **CONV3)],
     {"QLinearConv": 2}, {"Relu", "Conv", "FusedConv"}),
    ("silu", "static", 13, [1, 8, 12, 12], {"w": (8, 8, 1, 1)},
     [node("Conv", "x w", "c"), node("Sigmoid", "c", "s"), node("Mul", "c s", "m"), node("Conv", "m w", "y")],
     {"QLinearConv": 2, "QLinearSigmoid": 1, "QLinearMul": 1}, {"Sigmoid", "Mul"}),
    ("residual", "static", 13, [1, 8, 12, 12], {"w": (8, 8, 1, 1)},
     [node("Conv", "x w", "c"), node("Relu", "c", "r"), node("Conv", "r w", "d"), node("Add", "d r", "a"),
      node("Relu", "a", "q"), node("Conv", "q w", "y")],
     {"QLinearConv": 3, "QLinearAdd": 1}, {"Relu", "Add"}),
    ("movers", "static", 13, [1, 8, 12, 12], {"w": (8, 8, 1, 1), "v": (288, 40), "b": (40,)},
     [node("Conv", "x w", "c"), node("Relu", "c", "r"),
      node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Transpose", "p", "t", perm=[0, 2, 3, 1]),
      node("Flatten", "t", "f"), node("Gemm", "f v b", "y")],
     {"QLinearConv": 1, "QGemm": 1}, {"DequantizeLinear", "Gemm"}),
    ("pool_flatten_gemm", "static", 13, [1, 8, 12, 12], {"w": (8, 8, 1, 1), "v": (40, 8), "b": (40,)},
     [node("Conv", "x w", "c"), node("GlobalAveragePool", "c", "p"), node("Flatten", "p", "f"),
      node("Gemm", "f v b", "y", transB=1)],
     {"QLinearConv": 1, "QLinearGlobalAveragePool": 1, "QGemm": 1}, {"DequantizeLinear", "Gemm"}),
    ("concat", "static", 13, [1, 8, 12, 12], {"w": (8, 8, 1, 1), "u": (8, 16, 1, 1)},
     [node("Conv", "x w", "c"), node("Conv", "c w", "d"), node("Concat", "c d", "e", axis=1), node("Conv", "e u", "y")],
     {"QLinearConv": 3, "QLinearConcat": 1}, {"Concat"}),
    ("depthwise_clip", "static", 13, [1, 8, 12, 12], {"w": (8, 1, 3, 3), "u": (8, 8, 1, 1)},
     [helper.make_node("Constant", [], ["lo"], value_float=0.0), helper.make_node("Constant", [], ["hi"], value_float=6.0),
      node("Conv", "x w", "c", group=8, **CONV3), node("Clip", "c lo hi", "k"), node("Conv", "k u", "y")],
     {"QLinearConv": 2}, {"Clip"}),
    ("product_bias_2d", "static", 13, ["N", 32], {"w": (32, 24), "b": (24,)},
     [node("MatMul", "x w", "m"), node("Add", "m b", "y")], {"QGemm": 1}, {"Gemm", "MatMul", "DequantizeLinear"}),
    ("product_bias_3d", "static", 13, [2, 5, 32], {"w": (32, 24), "b": (24,)},
     [node("MatMul", "x w", "m"), node("Add", "m b", "y")], {"QGemm": 1}, {"MatMul", "DequantizeLinear"}),
    ("product_bias_open_rows", "static", 13, ["N", "M", 32], {"w": (32, 24), "b": (24,)},
     [node("MatMul", "x w", "m"), node("Add", "m b", "y")], {"MatMulIntegerToFloat": 1}, {"MatMul", "DequantizeLinear"}),
    ("product_residual_2d", "static", 13, [4, 32], {"w": (32, 32), "b": (32,)},
     [node("MatMul", "x w", "m"), node("Add", "m x", "y")], {"QGemm": 1}, {"Gemm", "MatMul", "DequantizeLinear"}),
    ("old_opset", "static", 9, [1, 8, 12, 12], {"w": (8, 8, 1, 1)},
     [node("Conv", "x w", "c"), node("Clip", "c", "k", min=0.0, max=6.0),
      node("Slice", "k", "s", starts=[1], ends=[7], axes=[2]), node("Squeeze", "s", "q", axes=[0]),
      node("Unsqueeze", "q", "z", axes=[0]), node("Conv", "z w", "y")],
     {"QLinearConv": 2}, {"Conv", "Clip"}),
    ("dynamic_3d", "dynamic", 13, ["N", "M", 32], {"w": (32, 24), "b": (24,)},
     [node("MatMul", "x w", "m"), node("Add", "m b", "y")], {"DynamicQuantizeMatMul": 1}, {"MatMul", "Add"}),
    ("dynamic_shared", "dynamic", 13, ["N", "M", 32], {"w": (32, 24), "u": (32, 24)},
     [node("MatMul", "x w", "m"), node("MatMul", "x u", "n"), node("Add", "m n", "y")],
     {"DynamicQuantizeLinear": 1, "MatMulIntegerToFloat": 2}, {"MatMul", "MatMulInteger"}),
    ("dynamic_gemm", "dynamic", 11, ["N", 32], {"w": (24, 32), "b": (24,)},
     [node("Gemm", "x w b", "y", transB=1, alpha=0.5)], {"DynamicQuantizeMatMul": 1}, {"Gemm", "MatMul", "Add"}),
    ("fp16_conv", "fp16", 13, [1, 8, 12, 12], {"w": (8, 8, 3, 3), "b": (8,)},
     [node("Conv", "x w b", "c", **CONV3), node("Relu", "c", "y")], {}, set()),
]


def build(path, case):
    name, _, opset, shape, weights, nodes, _, _ = case
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weight(key, *dims) for key, dims in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.save(model, path)


def sqnr(reference, other):
    noise = np.square(reference - other).sum(dtype=np.float64)
    return 10 * np.log10(np.square(reference).sum(dtype=np.float64) / max(noise, 1e-30))


def check_case(binary, case, folder):
    name, mode, _, shape, _, _, expected, forbidden = case
    source, out = os.path.join(folder, name + ".onnx"), os.path.join(folder, name + "_q.onnx")
    build(source, case)
    dims = [d if isinstance(d, int) else 4 for d in shape]
    samples = RANDOM.standard_normal([16] + dims).astype(np.float32)
    data = os.path.join(folder, name + ".npz")
    np.savez(data, x=samples if shape[0] != 1 else samples[:, 0])
    quantize(binary, source, out, mode, *(["--data", data] if mode == "static" else []))
    loaded, kernels = census(out, folder)
    for kernel, count in expected.items():
        assert kernels[kernel] >= count, f"expected {count} {kernel}, the optimized graph has {dict(kernels)}"
    left = forbidden & set(kernels)
    # A DequantizeLinear that gives a graph output is none that stayed behind.
    assert not left, f"{sorted(left)} left in {dict(kernels)}"
    reference = session(source).run(None, {"x": samples[0]})[0]
    ratio = sqnr(reference, loaded.run(None, {"x": samples[0]})[0])
    assert ratio > 20, f"{ratio:.1f} dB"
    return f"{dict(kernels)}, {ratio:.0f} dB"


def runs(path, model, limit):
    ranks = {i.name: len(i.type.tensor_type.shape.dim) for i in model.graph.input}
    with h5py.File(path) as f:
        keys = [k for k in f if k in ranks]
        count = min([limit] + [f[k].shape[0] for k in keys])
        labels = f["labels"][:count] if "labels" in f else None
        return [{k: f[k][i:i + 1] if f[k].ndim == ranks[k] else np.asarray(f[k][i]) for k in keys}
                for i in range(count)], labels


def check_network(binary, source, calibration, test, mode, kernels, floats, agreement, samples, folder):
    out = os.path.join(folder, "network.onnx")
    arguments = ["--data", calibration, "--samples", str(samples)] if mode == "static" else []
    quantize(binary, source, out, mode, *arguments)
    loaded, found = census(out, folder)
    for kernel, count in kernels.items():
        assert found[kernel] >= count, f"expected {count} {kernel}, the optimized graph has {dict(found)}"
    left = sum(found[k] for k in FLOAT_KERNELS)
    assert left <= floats, f"{left} float kernels left, expected at most {floats}: {dict(found)}"
    feeds, labels = runs(test, onnx.load(source), 100)
    reference = session(source)
    before = [reference.run(None, f)[0] for f in feeds]
    after = [loaded.run(None, f)[0] for f in feeds]
    text = f"{sum(found[k] for k in kernels)} integer kernels, {left} float, {sqnr(np.stack(before), np.stack(after)):.1f} dB"
    if labels is not None and labels.ndim == 1 and before[0].size > 1:
        a, b = (np.array([o.ravel().argmax() for o in outputs]) for outputs in (before, after))
        same = float((a == b).mean())
        text += f", top-1 {(a == labels).mean():.3f} -> {(b == labels).mean():.3f}, agreement {same:.3f}"
        assert same >= agreement, text
    return text


# model, mode, kernels expected, float products and convolutions allowed, top-1 agreement required
BUNDLED = [
    ("digits_resnet", "static", {"QLinearConv": 3, "QGemm": 1}, 0, 0.95),
    ("digits_resnet", "weight-only", {}, 99, 0.98),
    ("digits_resnet", "fp16", {}, 99, 0.98),
    ("digits_dscnn", "static", {"QLinearConv": 3}, 0, 0.95),
    ("digits_mlp", "static", {"QGemm": 2}, 0, 0.95),
    ("digits_mlp", "dynamic", {"DynamicQuantizeMatMul": 2}, 0, 0.97),
    ("digits_lstm", "fp16", {}, 99, 0.98),
]
ZOO = {
    "resnet8_cifar10": [("static", {"QLinearConv": 9, "QLinearAdd": 3, "QGemm": 1}, 0, 0.9),
                        ("fp16", {}, 99, 0.98), ("weight-only", {}, 99, 0.93)],
    "kws_dscnn": [("static", {"QLinearConv": 9, "QGemm": 1}, 0, 0.95)],
    "mnist_cntk": [("static", {"QLinearConv": 2, "QGemm": 1}, 0, 0.98)],
    "keyword_transformer": [("static", {"QGemm": 75}, 27, 0.93),
                            ("dynamic", {"DynamicQuantizeMatMul": 36, "MatMulIntegerToFloat": 36}, 27, 0.97),
                            ("fp16", {}, 999, 0.98)],
    "mobilenetv2": [("static", {"QLinearConv": 52, "QLinearAdd": 10, "QGemm": 1}, 0, 0.85)],
    "squeezenet11": [("static", {"QLinearConv": 26, "QLinearConcat": 8}, 0, 0.88)],
    "yolox_nano": [("static", {"QLinearConv": 113, "QLinearMul": 104, "QLinearSigmoid": 104}, 0, 0)],
    "ultraface_rfb_320": [("static", {"QLinearConv": 52}, 0, 0)],
    "espcn_x3": [("static", {"QLinearConv": 4}, 0, 0)],
}
DEFAULT_ZOO = ["resnet8_cifar10", "kws_dscnn", "mnist_cntk", "keyword_transformer"]


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, what, function):
        try:
            print(f"ok   {what}: {function()}", flush=True)
            self.passed += 1
        except Exception as error:  # every model is judged, whatever happened to the one before
            print(f"FAIL {what}: {type(error).__name__}: {error}", flush=True)
            self.failed += 1

    def skip(self, what, why):
        print(f"skip {what}: {why}")
        self.skipped += 1


def zoo_data(name, folder):
    prepare = os.path.join(SHARED, "zoo", "prepare.py")
    subprocess.run([sys.executable, prepare, folder, name], check=True, capture_output=True)
    return os.path.join(folder, name, "calib.h5"), os.path.join(folder, name, "test.h5")


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    binary, names = sys.argv[1], sys.argv[2:]
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        if not names:
            for case in CASES:
                tally.check(f"{case[1]} {case[0]}", lambda: check_case(binary, case, folder))
            data = [os.path.join(ROOT, "testdata", f"digits_{part}.h5") for part in ("calib", "test")]
            for name, mode, kernels, floats, agreement in BUNDLED:
                source = os.path.join(ROOT, "testdata", name + ".onnx")
                tally.check(f"{mode} {name}", lambda: check_network(
                    binary, source, *data, mode, kernels, floats, agreement, 200, folder))
        for name in names or DEFAULT_ZOO:
            source = os.path.join(SHARED, "zoo", "models", name + ".onnx")
            if not os.path.exists(source):
                tally.skip(name, "the shared zoo is absent")
                continue
            calibration, test = zoo_data(name, folder)
            for mode, kernels, floats, agreement in ZOO[name]:
                tally.check(f"{mode} {name}", lambda: check_network(
                    binary, source, calibration, test, mode, kernels, floats, agreement, 60, folder))
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
