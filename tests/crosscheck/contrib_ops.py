#!/usr/bin/env python3
"""Judges operators of com.microsoft, and the attention operators of ai.onnx, by ONNX Runtime.

    contrib_ops.py BINARY [OPERATOR ...] [--count N] [--seed N]

One row of CASES per operator: a function that draws a random configuration. Every configuration
becomes a model of one node, whose outputs `fettle run --exact` and ONNX Runtime (without
optimizations) must agree on. Exit 77 when it cannot run.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

EXIT_SKIP = 77
try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import helper, numpy_helper
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(EXIT_SKIP)

ort.set_default_logger_severity(4)
OPSET = 24
MICROSOFT = "com.microsoft"
# Relative to the output's largest magnitude.
TOLERANCE = {"float16": 5e-3, "float32": 2e-5, "float64": 1e-10}
FLOAT = np.float32


@dataclass
class Node:
    inputs: list                  # arrays; None: omitted
    outputs: list = field(default_factory=lambda: [FLOAT])  # types; None: omitted
    attributes: dict = field(default_factory=dict)
    constants: set = field(default_factory=set)  # indices of inputs that are initializers
    steps: int = 0                # by which integers may differ where ONNX Runtime approximates
    tolerance: float = 0          # for floats, instead of TOLERANCE

    def feeds(self):
        return {f"i{k}": a for k, a in enumerate(self.inputs) if a is not None and k not in self.constants}


class Draw:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def int(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, *choices):
        return choices[self.int(0, len(choices) - 1)]

    def chance(self, p=0.5):
        return bool(self.rng.random() < p)

    def floats(self, *shape, dtype=FLOAT):
        return np.asarray(self.rng.standard_normal(shape)).astype(dtype)

    def ints(self, low, high, *shape, dtype=np.int32):
        return np.asarray(self.rng.integers(low, high + 1, shape)).astype(dtype)

    def maybe(self, array, p=0.5):
        return array if self.chance(p) else None

    def optional(self, p=0.5, **attributes):
        return {k: v for k, v in attributes.items() if self.chance(p)}


# --- Activations, products and convolutions -------------------------------------------------------

def activation(d, *, types=(np.float16, FLOAT), bias=0.0, **attributes):
    dtype = d.pick(*types)
    shape = [d.int(1, 5) for _ in range(d.int(1, 4))]
    inputs = [d.floats(*shape, dtype=dtype) * 3]
    if d.chance(bias):
        inputs.append(d.floats(shape[-1], dtype=dtype))
    return Node([a.astype(dtype) for a in inputs], [dtype], d.optional(**attributes))


def quick_gelu(d):
    return activation(d, types=(np.float16, FLOAT, np.float64), alpha=d.pick(1.0, 0.3, -1.5))


def fused_matmul(d):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    attributes = {"alpha": d.pick(1.0, 0.5, -2.0)}
    a, b = [m, k], [k, n]
    batch = [d.int(1, 3) for _ in range(d.int(0, 2))]

    def arranged(matrix, batch, which):
        matrix = list(matrix)
        if d.chance():
            attributes["trans" + which] = 1
            matrix.reverse()
        if batch and d.chance():
            attributes["transBatch" + which] = 1
            return [matrix[0]] + batch + [matrix[1]]
        return batch + matrix

    a_batch = [1 if d.chance(0.2) else x for x in batch]
    dtype = d.pick(FLOAT, np.float64)
    return Node([d.floats(*arranged(a, a_batch, "A"), dtype=dtype), d.floats(*arranged(b, batch, "B"), dtype=dtype)],
                [dtype], attributes)


def fused_conv(d):
    group, rank = d.int(1, 2), d.int(1, 2)
    channels, maps = group * d.int(1, 3), group * d.int(1, 3)
    kernel = [d.int(1, 3) for _ in range(rank)]
    extent = [d.int(3, 7) for _ in range(rank)]
    pads = [d.int(0, 1) for _ in range(2 * rank)]
    strides = [d.int(1, 2) for _ in range(rank)]
    out = [(e + pads[i] + pads[i + rank] - kernel[i]) // strides[i] + 1 for i, e in enumerate(extent)]
    batch = d.int(1, 2)
    attributes = {"group": group, "kernel_shape": kernel, "pads": pads, "strides": strides}
    name, parameters = d.pick(("Relu", []), ("Tanh", []), ("Sigmoid", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 1.0]),
                              ("HardSigmoid", [0.3, 0.4]), ("HardSwish", []), (None, []))
    if name:
        attributes["activation"] = name
    if parameters:
        attributes["activation_params"] = parameters
    return Node([d.floats(batch, channels, *extent), d.floats(maps, channels // group, *kernel), d.maybe(d.floats(maps)),
                 d.maybe(d.floats(batch, maps, *out), 0.4)], attributes=attributes)


# --- Normalizations -------------------------------------------------------------------------------

def skip_normalization(d, beta):
    dtype = d.pick(np.float16, FLOAT)
    tokens, size = [d.int(1, 3), d.int(1, 4)], d.int(1, 9)
    shape = tokens + [size] if d.chance(0.8) else tokens[1:] + [size]
    skip = d.pick(shape, shape[-2:], [1] + shape[-2:]) if len(shape) == 3 else shape
    make = lambda *s: d.floats(*s, dtype=dtype)
    inputs = [make(*shape), make(*skip), make(size)] + ([d.maybe(make(size))] if beta else []) + [d.maybe(make(size))]
    return Node(inputs, [dtype, None, None, dtype] if d.chance() else [dtype],
                d.optional(epsilon=d.pick(1e-5, 0.1)))


def simplified_layer_normalization(d):
    shape = [d.int(1, 5) for _ in range(d.int(1, 4))]
    axis = d.int(-len(shape), len(shape) - 1)
    scale = shape[axis:]
    return Node([d.floats(*shape), d.floats(*scale)], d.pick([FLOAT], [FLOAT, FLOAT]),
                {"axis": axis} | d.optional(epsilon=0.1, stash_type=1))


def embed_layer_normalization(d):
    batch, positions, size = d.int(1, 3), d.int(1, 5), d.int(1, 9)
    words, segments = d.int(1, 20), d.chance()
    inputs = [d.ints(0, words - 1, batch, positions), d.ints(0, 1, batch, positions) if segments else None,
              d.floats(words, size), d.floats(positions + 2, size), d.floats(2, size) if segments else None,
              d.floats(size), d.floats(size), d.maybe(d.ints(0, 2, batch, positions)),
              d.maybe(d.ints(0, positions + 1, d.pick(1, batch), positions))]
    return Node(inputs, d.pick([FLOAT, np.int32, FLOAT], [FLOAT, None], [FLOAT, np.int32]),
                d.optional(epsilon=d.pick(1e-5, 0.1)))


# --- Attention ------------------------------------------------------------------------------------

def contrib_mask(d, batch, positions, total, starts=True):
    """A mask that leaves every query something to attend to."""
    kinds = ["none", "ends", "keys", "scores"] + (["starts"] if starts else [])
    kind = d.pick(*kinds)
    if kind == "ends":
        return d.ints(1, total, batch)
    if kind == "starts":
        ends = d.ints(1, total, batch)
        return np.concatenate([ends, np.array([d.int(0, e - 1) for e in ends], np.int32)])
    if kind == "none":
        return None
    mask = d.ints(0, 1, *((batch, total) if kind == "keys" else (batch, positions, total)))
    mask[..., 0] = 1
    return mask


def attention_bias(d, batch, heads, positions, total):
    return d.maybe(d.floats(d.pick(1, batch), d.pick(1, heads), positions, total), 0.3)


def packed_attention(d):
    batch, positions, width, heads = d.int(1, 3), d.int(1, 5), d.int(1, 6), d.int(1, 3)
    size = d.int(1, 6)
    past = d.int(1, 4) if d.chance(0.4) else 0
    value_size = size if past or d.chance() else d.int(1, 6)
    columns = heads * (2 * size + value_size)
    total = past + positions
    attributes = {"num_heads": heads} | d.optional(unidirectional=1, scale=0.7, mask_filter_value=-3.5)
    if value_size != size or d.chance():
        attributes["qkv_hidden_sizes"] = [heads * size, heads * size, heads * value_size]
    inputs = [d.floats(batch, positions, width), d.floats(width, columns), d.floats(columns),
              contrib_mask(d, batch, positions, total, starts="unidirectional" not in attributes),
              d.floats(2, batch, heads, past, size) if past else None,
              None if past else attention_bias(d, batch, heads, positions, total)]
    return Node(inputs, [FLOAT, FLOAT] if past or (value_size == size and d.chance()) else [FLOAT], attributes)


def multi_head_attention(d):
    batch, positions, heads, size = d.int(1, 3), d.int(1, 5), d.int(1, 3), d.int(1, 6)
    past = d.int(1, 4) if d.chance(0.4) else 0
    unidirectional = d.chance(0.3)
    keys = positions if unidirectional or d.chance() else d.int(1, 6)
    value_size = size if past or d.chance() else d.int(1, 6)
    total = past + keys
    attributes = {"num_heads": heads} | d.optional(scale=0.7, mask_filter_value=-3.5)
    if unidirectional:
        attributes["unidirectional"] = 1
    bias = d.maybe(d.floats(heads * (2 * size + value_size)))
    if not past and value_size == size and d.chance(0.25):
        key, value = d.floats(batch, heads, keys, size), d.floats(batch, heads, keys, size)
    else:
        key, value = d.floats(batch, keys, heads * size), d.floats(batch, keys, heads * value_size)
    inputs = [d.floats(batch, positions, heads * size), key, value, bias,
              contrib_mask(d, batch, positions, total, starts=False), attention_bias(d, batch, heads, positions, total),
              d.floats(batch, heads, past, size) if past else None, d.floats(batch, heads, past, size) if past else None]
    return Node(inputs, [FLOAT] * 3 if past else d.pick([FLOAT], [FLOAT] * 3, [FLOAT] * 4), attributes)


def contrib_rotary_embedding(d):
    dtype = d.pick(np.float16, FLOAT)
    batch, positions, heads, pairs = d.int(1, 3), d.int(1, 5), d.int(1, 3), d.int(1, 4)
    attributes = d.optional(interleaved=1)
    size = 2 * pairs
    stacked = d.chance(0.4)
    if d.chance(0.4):
        attributes |= {"rotary_embedding_dim": size, "num_heads": heads}
        size += d.int(0, 4)
    elif d.chance():
        attributes["num_heads"] = heads
    rows = positions + 3
    ids = d.ints(0, 3, 1, dtype=np.int64) if d.chance() else d.ints(0, rows - 1, batch, positions, dtype=np.int64)
    shape = (batch, heads, positions, size) if stacked else (batch, positions, heads * size)
    make = lambda *s: d.floats(*s, dtype=dtype)
    return Node([make(*shape), ids, make(rows, pairs), make(rows, pairs)], [dtype], attributes)


def rotary_embedding(d):
    batch, positions, heads, pairs = d.int(1, 3), d.int(1, 5), d.int(1, 3), d.int(1, 4)
    attributes = d.optional(interleaved=1)
    size = 2 * pairs
    if d.chance(0.4):
        attributes["rotary_embedding_dim"] = size
        size += 2 * d.int(0, 2)
    stacked = d.chance()
    if not stacked or "rotary_embedding_dim" in attributes:
        attributes["num_heads"] = heads
    rows = positions + 3
    ids = d.maybe(d.ints(0, rows - 1, batch, positions, dtype=np.int64))
    cache = (rows, pairs) if ids is not None else (batch, positions, pairs)
    shape = (batch, heads, positions, size) if stacked else (batch, positions, heads * size)
    return Node([d.floats(*shape), d.floats(*cache), d.floats(*cache), ids], attributes=attributes)


def attention(d):
    batch, positions, kv_heads, size, value_size = (d.int(1, 3), d.int(1, 5), d.int(1, 2), d.int(1, 6), d.int(1, 6))
    heads = kv_heads * d.int(1, 3)
    keys = positions if d.chance() else d.int(1, 6)
    past = d.int(1, 4) if d.chance(0.4) else 0
    total = past + keys
    attributes = d.optional(scale=0.7, softcap=d.pick(0.5, 2.0))
    # One causal query sees no later key; ONNX Runtime 1.31 shows it all new ones after past keys.
    if (positions > 1 or keys == 1) and d.chance():
        attributes["is_causal"] = 1
    if d.chance():
        attributes |= {"q_num_heads": heads, "kv_num_heads": kv_heads}
        shapes = [(batch, positions, heads * size), (batch, keys, kv_heads * size), (batch, keys, kv_heads * value_size)]
    else:
        shapes = [(batch, heads, positions, size), (batch, kv_heads, keys, size), (batch, kv_heads, keys, value_size)]
    mask = None
    if d.chance(0.6):
        shape = [d.pick(1, batch), d.pick(1, heads), positions, total][d.int(0, 2):]
        mask = d.floats(*shape) if d.chance() else d.ints(0, 1, *shape).astype(bool)
        if mask.dtype == bool:
            mask[..., 0] = True
    pasts = [d.floats(batch, kv_heads, past, size), d.floats(batch, kv_heads, past, value_size)] if past else [None, None]
    inputs = [d.floats(*s) for s in shapes] + [mask] + pasts
    if not past and d.chance(0.3):
        return Node(inputs + [d.ints(min(positions, total), total, batch, dtype=np.int64)], attributes=attributes)
    return Node(inputs, [FLOAT] * 3 if past else d.pick([FLOAT], [FLOAT] * 3), attributes)


# operator, domain, how to draw a configuration
CASES = [
    ("Gelu", MICROSOFT, activation),
    ("QuickGelu", MICROSOFT, quick_gelu),
    ("FastGelu", MICROSOFT, lambda d: activation(d, bias=0.5)),
    ("BiasGelu", MICROSOFT, lambda d: activation(d, types=(FLOAT,), bias=1.0)),
    ("FusedMatMul", MICROSOFT, fused_matmul),
    ("FusedConv", MICROSOFT, fused_conv),
    ("SkipLayerNormalization", MICROSOFT, lambda d: skip_normalization(d, True)),
    ("SkipSimplifiedLayerNormalization", MICROSOFT, lambda d: skip_normalization(d, False)),
    ("SimplifiedLayerNormalization", "", simplified_layer_normalization),
    ("EmbedLayerNormalization", MICROSOFT, embed_layer_normalization),
    ("Attention", MICROSOFT, packed_attention),
    ("MultiHeadAttention", MICROSOFT, multi_head_attention),
    ("RotaryEmbedding", MICROSOFT, contrib_rotary_embedding),
    ("Attention", "", attention),
    ("RotaryEmbedding", "", rotary_embedding),
]


def model_of(op, domain, node):
    """The node, its integers of less than a byte cast to int8, which numpy knows."""
    inputs = [f"i{k}" if a is not None else "" for k, a in enumerate(node.inputs)]
    outputs = [f"o{k}" if t is not None else "" for k, t in enumerate(node.outputs)]
    while inputs and not inputs[-1]:
        inputs.pop()
    element = lambda dtype: helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    narrow = [t is not None and np.dtype(t).name in ("int4", "uint4") for t in node.outputs]
    casts = [helper.make_node("Cast", [f"narrow_{o}"], [o], to=onnx.TensorProto.INT8) for o, n in zip(outputs, narrow) if n]
    results = [f"narrow_{o}" if n else o for o, n in zip(outputs, narrow)]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, results, domain=domain, **node.attributes)] + casts, op,
        [helper.make_tensor_value_info(f"i{k}", element(a.dtype), a.shape)
         for k, a in enumerate(node.inputs) if a is not None and k not in node.constants],
        [helper.make_tensor_value_info(f"o{k}", element(np.int8 if narrow[k] else t), None)
         for k, t in enumerate(node.outputs) if t is not None],
        [numpy_helper.from_array(node.inputs[k], f"i{k}") for k in sorted(node.constants)])
    return helper.make_model(graph, ir_version=11,
                             opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)])


def run_onnxruntime(model, feeds):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))


def run_fettle(binary, model, feeds, folder):
    path, data, out = (os.path.join(folder, name) for name in ("model.onnx", "in.npz", "out.npz"))
    onnx.save(model, path)
    np.savez(data, **{n: a[None] for n, a in feeds.items()})
    command = [binary, "run", path, "--data", data, "-o", out, "-q", "--exact", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"fettle run: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    with np.load(out) as f:
        return {n: f[n] for n in f.files}


def compare(name, ours, theirs, node):
    if ours.shape != theirs.shape and ours.shape[:1] == (1,):
        ours = ours[0]
    assert ours.dtype == theirs.dtype, f"{name}: type {ours.dtype}, expected {theirs.dtype}"
    assert ours.shape == theirs.shape, f"{name}: shape {ours.shape}, expected {theirs.shape}"
    if theirs.dtype.kind != "f":
        error = int(np.max(np.abs(ours.astype(np.int64) - theirs.astype(np.int64)), initial=0))
        assert error <= node.steps, f"{name}: differs by {error}: {ours.tolist()}, expected {theirs.tolist()}"
        return
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    differ = a != b  # equal infinities do not
    error = float(np.max(np.abs(a[differ] - b[differ]), initial=0))
    scale = max(1.0, float(np.max(np.abs(b[np.isfinite(b)]), initial=0)))
    assert error <= (node.tolerance or TOLERANCE[theirs.dtype.name]) * scale, f"{name}: max error {error:.3g} at scale {scale:.3g}"


def check(binary, op, domain, node, folder):
    model = model_of(op, domain, node)
    feeds = node.feeds()
    theirs = run_onnxruntime(model, feeds)
    ours = run_fettle(binary, model, feeds, folder)
    for name, expected in theirs.items():
        compare(name, ours[name], expected, node)


def main(cases, description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("operators", nargs="*", help="only these")
    parser.add_argument("--count", type=int, default=40, help="configurations per operator")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for op, domain, draw in cases:
            if arguments.operators and op not in arguments.operators:
                continue
            failures = []
            for index in range(arguments.count):
                node = draw(Draw([arguments.seed, index]))
                try:
                    check(arguments.binary, op, domain, node, folder)
                except Exception as error:  # every configuration is judged, whatever happened to the one before
                    shapes = [a.shape if a is not None else None for a in node.inputs]
                    failures.append(f"  #{index} {shapes} {node.attributes}: {type(error).__name__}: {error}")
            title = f"{domain}.{op}" if domain else op
            print(f"{'FAIL' if failures else 'ok  '} {title}: {arguments.count - len(failures)} of {arguments.count}")
            for failure in failures[:5]:
                print(failure, flush=True)
            failed += bool(failures)
    print(f"{failed} operators failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(CASES, __doc__))
