"""Weights for the conformance `light` models, whose float initializers were replaced by ConstantOfShape nodes:
makes them initializers again, with random values of the size that training starts from. Nothing quantizes
weights that are all equal, and no network has such."""
import onnx
from onnx import numpy_helper
import numpy as np

EXTERNAL_BYTES = 1 << 30  # a protobuf message holds at most 2 GiB
MOVED = ("Unsqueeze", "Reshape", "Squeeze", "Identity")


def readers(graph):
    """By value name: the (node, operand index) pairs that read it."""
    found = {}
    for node in graph.node:
        for i, name in enumerate(node.input):
            found.setdefault(name, []).append((node, i))
    return found


def role(name, reads):
    """The first (node, operand index) that computes with the value, views of it looked through."""
    for node, i in reads.get(name, []):
        if node.op_type in MOVED and i == 0:
            return role(node.output[0], reads)
        return node, i
    return None, 0


def values(dims, node, operand, random):
    """Variances stay as they are from layer to layer (He et al., 2015); normalization is near the identity."""
    kind = node.op_type if node is not None else ""
    if kind in ("Conv", "ConvTranspose") and operand == 1:
        return random.randn(*dims) * np.sqrt(2 / np.prod(dims[1:]))
    if kind in ("Gemm", "MatMul") and operand == 1:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return random.randn(*dims) * np.sqrt(2 / dims[1 if transposed else 0])
    if kind == "Mul" or (kind == "BatchNormalization" and operand in (1, 4)):
        return random.uniform(0.8, 1.2, dims)
    return random.randn(*dims) * 0.1


def materialize(source, target):
    """Writes `source` with real weights to `target`, as external data beside it when they are large."""
    model = onnx.load(source)
    graph = model.graph
    shapes = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    reads = readers(graph)
    random = np.random.RandomState(0)
    weights, kept, total = [], [], 0
    for node in graph.node:
        fill = next((a.t for a in node.attribute if a.name == "value"), None)
        if node.op_type != "ConstantOfShape" or node.input[0] not in shapes or (
                fill is not None and fill.data_type != onnx.TensorProto.FLOAT):
            kept.append(node)
            continue
        dims = [int(d) for d in shapes[node.input[0]]]
        array = np.asarray(values(dims, *role(node.output[0], reads), random), np.float32)
        weights.append(numpy_helper.from_array(array, node.output[0]))
        total += array.nbytes
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(weights)
    used = {name for node in kept for name in node.input} | {o.name for o in graph.output}
    for unused in [w for w in graph.initializer if w.name not in used]:
        graph.initializer.remove(unused)
    held = {w.name for w in graph.initializer}
    for default in [v for v in graph.input if v.name in held or v.name not in used]:
        graph.input.remove(default)
    model.ir_version = max(model.ir_version, 4)  # initializers need not be inputs
    onnx.save(model, target, save_as_external_data=total > EXTERNAL_BYTES, location="weights.bin")
