#!/usr/bin/env python3
"""Train the bundled networks on handwritten digits and export them to ONNX.

    python3 train_digits.py [FOLDER]

FOLDER (default: this script's) receives digits_{resnet,dscnn,mlp,lstm}.onnx: float32, opset 17,
IR version 8, input `image` [batch, 1, 8, 8], output `logits` [batch, 10]. Trains with numpy alone,
with fixed seeds, on the digits that make_digits.py leaves over; a few minutes in all on one CPU core.
Needs numpy, scikit-learn, onnx, h5py.
"""
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one order of summation

import numpy as np
import onnx
from onnx import helper, numpy_helper

from layers import (BatchNorm, Conv, Dense, Flatten, GlobalAveragePool, Relu, Residual, RowLstm,
                    Sequential)
from make_digits import split


class OnnxGraph:
    """Collects the nodes and initializers of a graph; a value is named after its layer."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op_type, inputs, name, outputs=("",), **attributes):
        names = [f"{name}_output{suffix}" if suffix or len(outputs) == 1 else ""
                 for suffix in outputs]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=name, **attributes))
        return names[-1]


def conv_bn(rng, name, inputs, outputs, kernel=3, stride=1, depthwise=False, limit=None,
            activation=True):
    layers = [Conv(rng, name + ".conv", inputs, outputs, kernel, stride, depthwise),
              BatchNorm(name + ".bn", outputs)]
    if activation:
        layers.append(Relu(name + ".act", limit))
    return layers


def residual_block(rng, name, inputs, outputs, stride=1):
    body = Sequential(*conv_bn(rng, name + ".a", inputs, outputs, stride=stride),
                      *conv_bn(rng, name + ".b", outputs, outputs, activation=False))
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = Sequential(*conv_bn(rng, name + ".shortcut", inputs, outputs, 1, stride,
                                       activation=False))
    return [Residual(name + ".add", body, shortcut), Relu(name + ".act")]


def head(rng, channels):
    return [GlobalAveragePool("pool"), Flatten("flatten"), Dense(rng, "classifier", channels, 10)]


def resnet(rng):
    return Sequential(*conv_bn(rng, "stem", 1, 32), *residual_block(rng, "block1", 32, 32),
                      *residual_block(rng, "block2", 32, 48, 2),
                      *residual_block(rng, "block3", 48, 48), *head(rng, 48))


def dscnn(rng):
    layers = conv_bn(rng, "stem", 1, 32, limit=6)
    for i, (inputs, outputs, stride) in enumerate(((32, 96, 1), (96, 192, 2), (192, 192, 1)), 1):
        layers += conv_bn(rng, f"block{i}.depthwise", inputs, inputs, 3, stride, True, 6)
        layers += conv_bn(rng, f"block{i}.pointwise", inputs, outputs, 1, limit=6)
    return Sequential(*layers, *head(rng, 192))


def mlp(rng):
    return Sequential(Flatten("flatten"), Dense(rng, "hidden1", 64, 128), Relu("act1"),
                      Dense(rng, "hidden2", 128, 128), Relu("act2"),
                      Dense(rng, "classifier", 128, 10))


def lstm(rng):
    return Sequential(RowLstm(rng, "lstm", 8, 64), Dense(rng, "classifier", 64, 10))


def augment(rng, images):
    """Shifts each image by up to one pixel along each axis."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    offsets = rng.integers(0, 3, (len(images), 2))
    return np.stack([image[:, y:y + 8, x:x + 8] for image, (y, x) in zip(padded, offsets)])


def train(network, rng, images, labels, epochs, batch=64, rate=3e-3, decay=1e-3):
    """AdamW (Loshchilov and Hutter, 2019) with a cosine schedule on the cross-entropy."""
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p, _ in network.parameters()]
    steps = epochs * (len(images) // batch)
    step = 0
    for _ in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            index = order[start:start + batch]
            logits = network.forward(augment(rng, images[index]), True)
            odds = np.exp(logits - logits.max(1, keepdims=True))
            gradient = odds / odds.sum(1, keepdims=True)
            gradient[np.arange(batch), labels[index]] -= 1
            network.backward((gradient / batch).astype(np.float32))
            step += 1
            now = rate * 0.5 * (1 + np.cos(np.pi * step / steps))
            for (value, slope), (first, second) in zip(network.parameters(), moments):
                first += 0.1 * (slope - first)
                second += 0.001 * (slope * slope - second)
                update = (first / (1 - 0.9 ** step)) / (np.sqrt(second / (1 - 0.999 ** step)) + 1e-8)
                value -= now * (update + decay * value * (value.ndim > 1))


def export(network, name, path):
    graph = OnnxGraph()
    last = network.export(graph, "image")
    final = graph.nodes[-1]
    final.output[list(final.output).index(last)] = "logits"
    shapes = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s)
              for n, s in (("image", ["batch", 1, 8, 8]), ("logits", ["batch", 10]))]
    proto = helper.make_graph(graph.nodes, name, shapes[:1], shapes[1:], graph.initializers)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="train_digits.py")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    parts = split()
    recipes = (("resnet", resnet, 40), ("dscnn", dscnn, 100), ("mlp", mlp, 300), ("lstm", lstm, 300))
    for name, build, epochs in recipes:
        rng = np.random.Generator(np.random.PCG64(7))
        network = build(rng)
        train(network, rng, *parts["train"], epochs)
        images, labels = parts["test"]
        right = np.mean(network.forward(images, False).argmax(1) == labels)
        path = os.path.join(folder, f"digits_{name}.onnx")
        export(network, f"digits_{name}", path)
        print(f"{name}: test accuracy {right:.4f}, {os.path.getsize(path)} bytes", flush=True)


if __name__ == "__main__":
    main()
