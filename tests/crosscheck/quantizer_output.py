#!/usr/bin/env python3
"""Runs what ONNX Runtime's quantizers and its graph optimizer emit, and compares with ONNX Runtime.

    quantizer_output.py BINARY

A small convolutional network is quantized statically (operators and QDQ, uint8 and int8
activations) and optimized, an LSTM is quantized dynamically, and a MatMul with a Gather is
quantized in blocks (where the package onnx_ir is installed). Exit 77 when it cannot run.
"""
import os
import sys
import tempfile

from contrib_ops import EXIT_SKIP, FLOAT, MICROSOFT, helper, np, numpy_helper, onnx, ort, run_fettle

try:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(EXIT_SKIP)

LEVELS = {"extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED, "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL}
IMAGE = (2, 3, 8, 8)
RNG = np.random.default_rng(3)


def weight(name, *shape):
    return numpy_helper.from_array((RNG.standard_normal(shape) * 0.3).astype(FLOAT), name)


def model_of(nodes, inputs, outputs, weights):
    info = lambda values: [helper.make_tensor_value_info(n, t, s) for n, t, s in values]
    graph = helper.make_graph([helper.make_node(op, i, o, **a) for op, i, o, a in nodes], "graph", info(inputs),
                              info(outputs), weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def convolutional():
    return model_of([
        ("Conv", ["x", "w1", "b1"], ["c1"], {"pads": [1, 1, 1, 1]}),
        ("LeakyRelu", ["c1"], ["l"], {"alpha": 0.1}),
        ("Conv", ["l", "w2"], ["c2"], {"pads": [1, 1, 1, 1], "group": 2}),
        ("Sigmoid", ["c2"], ["s"], {}),
        ("Add", ["l", "s"], ["a"], {}),
        ("Mul", ["a", "s"], ["m"], {}),
        ("Concat", ["a", "m"], ["k"], {"axis": 1}),
        ("AveragePool", ["k"], ["p"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("GlobalAveragePool", ["p"], ["g"], {}),
        ("Flatten", ["g"], ["f"], {}),
        ("Gemm", ["f", "w3", "b3"], ["z"], {}),
        ("Softmax", ["z"], ["y"], {"axis": -1}),
    ], [("x", 1, IMAGE)], [("y", 1, [2, 5])],
        [weight("w1", 4, 3, 3, 3), weight("b1", 4), weight("w2", 4, 2, 3, 3), weight("w3", 8, 5), weight("b3", 5)])


def recurrent():
    return model_of([
        ("LSTM", ["x", "w", "r", "b"], ["h"], {"hidden_size": 6, "direction": "bidirectional"}),
        ("Reshape", ["h", "s"], ["z"], {}),
        ("MatMul", ["z", "m"], ["y"], {}),
    ], [("x", 1, [4, 2, 5])], [("y", 1, [8, 3])],
        [weight("w", 2, 24, 5), weight("r", 2, 24, 6), weight("b", 2, 48), weight("m", 12, 3),
         numpy_helper.from_array(np.array([8, 12]), "s")])


def embedding():
    return model_of([("Gather", ["e", "i"], ["x"], {}), ("MatMul", ["x", "m"], ["y"], {})],
                    [("i", onnx.TensorProto.INT64, [2, 3])], [("y", 1, [2, 3, 7])], [weight("e", 10, 40), weight("m", 40, 7)])


class Images(CalibrationDataReader):
    def __init__(self):
        self.images = iter([{"x": RNG.standard_normal(IMAGE).astype(FLOAT)} for _ in range(5)])

    def get_next(self):
        return next(self.images, None)


def judge(binary, title, model, feeds, folder, level, tolerance, operators):
    """The optimized model in fettle against ONNX Runtime; it must hold the operators expected."""
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = 1
    options.optimized_model_filepath = os.path.join(folder, "optimized.onnx")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    expected = session.run(["y"], feeds)[0]
    optimized = onnx.load(options.optimized_model_filepath)
    found = {n.op_type for n in optimized.graph.node if n.domain == MICROSOFT}
    ours = run_fettle(binary, optimized, feeds, folder)["y"].reshape(expected.shape)
    error = float(np.max(np.abs(ours - expected)))
    good = error <= tolerance and operators <= found
    print(f"{'ok  ' if good else 'FAIL'} {title}, {level}: max error {error:.3g}; {', '.join(sorted(found))}")
    if not operators <= found:
        print(f"  not emitted: {', '.join(sorted(operators - found))}")
    return good


def static_models(folder):
    path, quantized = os.path.join(folder, "float.onnx"), os.path.join(folder, "quantized.onnx")
    onnx.save(convolutional(), path)
    for layout in (QuantFormat.QOperator, QuantFormat.QDQ):
        for activations in (QuantType.QUInt8, QuantType.QInt8):
            quantize_static(path, quantized, Images(), quant_format=layout, activation_type=activations,
                            weight_type=QuantType.QInt8, per_channel=True)
            yield f"{layout} {activations}", onnx.load(quantized)


def dynamic_model(folder):
    path, quantized = os.path.join(folder, "float.onnx"), os.path.join(folder, "quantized.onnx")
    onnx.save(recurrent(), path)
    quantize_dynamic(path, quantized, per_channel=True)
    return onnx.load(quantized)


def block_models():
    try:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    except ImportError as error:
        print(f"not tried: block quantization ({error})")
        return
    for bits, kinds in ((4, ("MatMul", "Gather")), (8, ("MatMul",))):
        for symmetric in (True, False):
            quantizer = MatMulNBitsQuantizer(embedding(), block_size=16, is_symmetric=symmetric, bits=bits,
                                             op_types_to_quantize=kinds)
            quantizer.process()
            emitted = {"MatMulNBits"} | ({"GatherBlockQuantized"} if "Gather" in kinds else set())
            yield f"{bits} bits, symmetric {symmetric}", quantizer.model.model, emitted


def main(binary):
    pools = {"QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSoftmax"}
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        image = {"x": RNG.standard_normal(IMAGE).astype(FLOAT)}
        for title, model in static_models(folder):
            failed += not judge(binary, title, model, image, folder, "extended", 1e-6, pools)
            failed += not judge(binary, title, model, image, folder, "all", 1e-6, pools | {"QLinearConv"})
        sequence = {"x": RNG.standard_normal((4, 2, 5)).astype(FLOAT)}
        failed += not judge(binary, "dynamic", dynamic_model(folder), sequence, folder, "extended", 1e-3,
                            {"DynamicQuantizeLSTM"})
        for title, model, emitted in block_models():
            words = {"i": RNG.integers(0, 10, (2, 3))}
            failed += not judge(binary, title, model, words, folder, "extended", 1e-5, emitted)
    print(f"{failed} models failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
