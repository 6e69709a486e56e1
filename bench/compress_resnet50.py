#!/usr/bin/env python3
"""Time and peak memory of `fettle compress` on a ResNet-50-sized model with 32 images.

    compress_resnet50.py BINARY [--keep FOLDER]

Makes a ResNet-50 with random weights (the cost does not depend on them) and 32 random images, then
measures in one run: 32 float32 inferences of ONNX Runtime (interleaved before and after), and
`fettle compress` without and with its own latency measurement. Prints ratios.
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime as ort


class Builder:
    def __init__(self):
        self.random = np.random.RandomState(0)
        self.nodes, self.weights, self.count = [], [], 0

    def name(self, prefix):
        self.count += 1
        return f"{prefix}_{self.count}"

    def weight(self, array, name):
        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def op(self, kind, inputs, **attributes):
        out = self.name(kind.lower())
        self.nodes.append(helper.make_node(kind, inputs, [out], name=out + "_node", **attributes))
        return out

    def conv(self, x, cin, cout, kernel, stride=1, relu=True):
        scale = np.sqrt(2.0 / (cin * kernel * kernel))
        w = self.weight(self.random.randn(cout, cin, kernel, kernel) * scale, self.name("weight"))
        y = self.op("Conv", [x, w], kernel_shape=[kernel, kernel], strides=[stride, stride],
                    pads=[kernel // 2] * 4)
        stats = [self.random.rand(cout) * 0.4 + 0.8, self.random.randn(cout) * 0.1, self.random.randn(cout) * 0.1,
                 self.random.rand(cout) + 0.5]
        y = self.op("BatchNormalization", [y] + [self.weight(s, self.name("bn")) for s in stats])
        return self.op("Relu", [y]) if relu else y

    def bottleneck(self, x, cin, width, stride):
        y = self.conv(x, cin, width, 1)
        y = self.conv(y, width, width, 3, stride)
        y = self.conv(y, width, 4 * width, 1, relu=False)
        if cin != 4 * width or stride != 1:
            x = self.conv(x, cin, 4 * width, 1, stride, relu=False)
        return self.op("Relu", [self.op("Add", [y, x])])


def make_model(path):
    b = Builder()
    x = b.conv("image", 3, 64, 7, 2)
    x = b.op("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(blocks):
            x = b.bottleneck(x, channels, width, stride if i == 0 else 1)
            channels = 4 * width
    x = b.op("Flatten", [b.op("GlobalAveragePool", [x])])
    w = b.weight(b.random.randn(1000, 2048) * 0.02, "fc_weight")
    b.nodes.append(helper.make_node("Gemm", [x, w, b.weight(np.zeros(1000), "fc_bias")], ["logits"], transB=1))
    graph = helper.make_graph(b.nodes, "resnet50",
                              [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 224, 224])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1000])], b.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def onnxruntime_seconds(path, images):
    options = ort.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    session.run(None, {"image": images[:1]})
    start = time.perf_counter()
    for i in range(len(images)):
        session.run(None, {"image": images[i:i + 1]})
    return time.perf_counter() - start


# A process inherits the peak of the one that starts it, so a small one stands between.
MEASURE = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss * 1024, status)
"""


def timed(command):
    """Seconds and the peak resident bytes of the process and the children it waited for."""
    answer = subprocess.run([sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True)
    seconds, peak, status = answer.stdout.split()[-3:]
    if int(status) != 0:
        sys.exit(f"failed: {' '.join(command)}\n{answer.stderr}")
    return float(seconds), int(peak)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--keep", help="make the model and data in this folder and leave them there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or scratch
        os.makedirs(folder, exist_ok=True)
        model, data = os.path.join(folder, "resnet50.onnx"), os.path.join(folder, "images.h5")
        if not os.path.exists(model):
            make_model(model)
        images = np.random.RandomState(1).randn(32, 3, 224, 224).astype(np.float32)
        with h5py.File(data, "w") as f:
            f.create_dataset("image", data=images, chunks=(1, 3, 224, 224))
        size = os.path.getsize(model)
        binary = os.path.abspath(arguments.binary)
        base = [binary, "compress", model, "--data", data, "-q", "-o"]
        before = onnxruntime_seconds(model, images)
        plain, plain_peak = timed(base + [os.path.join(scratch, "a"), "--no-bench"])
        full, full_peak = timed(base + [os.path.join(scratch, "b")])
        after = onnxruntime_seconds(model, images)
        reference = (before + after) / 2
        print(f"model {size / 2**20:.1f} MiB; 32 ONNX Runtime float32 inferences: {before:.2f} s before, {after:.2f} s after")
        print(f"compress --no-bench: {plain:.2f} s = {plain / reference:.2f} x 32 inferences; peak {plain_peak / 2**20:.1f} MiB"
              f" = {plain_peak / size:.2f} x the model")
        print(f"compress with latency: {full:.2f} s = {full / reference:.2f} x 32 inferences; peak {full_peak / 2**20:.1f} MiB"
              f" = {full_peak / size:.2f} x the model (its own process; ru_maxrss also covers waited-for children)")


if __name__ == "__main__":
    main()
