"""Small networks that stress one kind of kernel each, with random weights: writes model.onnx and input.npz
for each into a folder. The shapes are those of common edge models."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Graph:
    """Collects nodes and weights of one network."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)
        self.nodes, self.weights = [], []

    def constant(self, array):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, *dims):
        return self.constant((self.random.randn(*dims) / np.sqrt(dims[-2] if len(dims) > 1 else 1)).astype(np.float32))

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x, inputs, outputs):
        return self.op("Add", self.op("MatMul", x, self.weight(inputs, outputs)), self.weight(outputs))

    def save(self, folder, name, dims, output):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        graph = helper.make_graph(self.nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
                                  [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(onnx.shape_inference.infer_shapes(model))
        onnx.save(onnx.shape_inference.infer_shapes(model), os.path.join(folder, name, "model.onnx"))
        data = np.random.RandomState(1).randn(4, *dims).astype(np.float32)
        np.savez(os.path.join(folder, name, "input.npz"), x=data)


def perceptron(folder, name, rows, width):
    g, x = Graph(0), "x"
    for _ in range(4):
        x = g.op("Relu", g.linear(x, width, width))
    g.save(folder, name, [rows, width], x)


def recurrent(folder, name, kind, steps, width):
    """Two layers of LSTM or GRU over a sequence."""
    gates = {"LSTM": 4, "GRU": 3}[kind]
    g, x = Graph(0), "x"
    for _ in range(2):
        y = g.op(kind, x, g.weight(1, gates * width, width), g.weight(1, gates * width, width),
                 g.weight(1, 2 * gates * width), hidden_size=width, outputs=1,
                 **({"linear_before_reset": 1} if kind == "GRU" else {}))
        x = g.op("Squeeze", y, g.constant(np.array([1], np.int64)))
    g.save(folder, name, [steps, 1, width], x)


def encoder(folder, name, tokens, width, heads, layers):
    """Transformer encoder layers, pre-normalized, with GELU by Erf."""
    g, x = Graph(0), "x"
    split = g.constant(np.array([1, tokens, heads, width // heads], np.int64))
    whole = g.constant(np.array([1, tokens, width], np.int64))
    scale = g.constant(np.array(1 / np.sqrt(width // heads), np.float32))
    for _ in range(layers):
        n = g.op("LayerNormalization", x, g.constant(np.ones(width, np.float32)), g.constant(np.zeros(width, np.float32)))
        q, k, v = (g.op("Reshape", g.linear(n, width, width), split) for _ in range(3))
        q = g.op("Transpose", q, perm=[0, 2, 1, 3])
        k = g.op("Transpose", k, perm=[0, 2, 3, 1])
        v = g.op("Transpose", v, perm=[0, 2, 1, 3])
        a = g.op("Softmax", g.op("Mul", g.op("MatMul", q, k), scale), axis=-1)
        y = g.op("Reshape", g.op("Transpose", g.op("MatMul", a, v), perm=[0, 2, 1, 3]), whole)
        x = g.op("Add", x, g.linear(y, width, width))
        n = g.op("LayerNormalization", x, g.constant(np.ones(width, np.float32)), g.constant(np.zeros(width, np.float32)))
        h = g.linear(n, width, 4 * width)
        e = g.op("Erf", g.op("Mul", h, g.constant(np.array(np.sqrt(0.5), np.float32))))
        h = g.op("Mul", g.op("Mul", h, g.op("Add", e, g.constant(np.array(1, np.float32)))), g.constant(np.array(0.5, np.float32)))
        x = g.op("Add", x, g.linear(h, 4 * width, width))
    g.save(folder, name, [1, tokens, width], x)


def write_all(folder):
    perceptron(folder, "matmul_1x512", 1, 512)
    perceptron(folder, "matmul_64x512", 64, 512)
    recurrent(folder, "lstm_50x128", "LSTM", 50, 128)
    recurrent(folder, "lstm_20x256", "LSTM", 20, 256)
    recurrent(folder, "gru_50x128", "GRU", 50, 128)
    encoder(folder, "attention_32x128", 32, 128, 4, 2)
    encoder(folder, "attention_128x256", 128, 256, 4, 2)
