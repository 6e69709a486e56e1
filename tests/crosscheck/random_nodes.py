"""Random nodes for random_graphs.py: one function per family, one table row per operator.

A family function gets a Draw (random choices and operands) and the operator's name, and returns
Node(op, inputs, attributes, outputs) whose operands exist. `exact` rows have results that do not
depend on the order or precision of arithmetic; `steps` rows are discontinuous, so they take only
exact operands.
"""
import itertools
from dataclasses import dataclass, field

import numpy as np

FLOATS = (np.float32, np.float64, np.float16)
INTS = (np.int32, np.int64)


@dataclass
class Node:
    op: str
    inputs: list
    attributes: dict = field(default_factory=dict)
    outputs: int = 1
    domain: str = ""
    graphs: dict = field(default_factory=dict)


class Draw:
    """Random choices. `pool` holds the values made so far: name -> (array, exact)."""

    def __init__(self, rng, pool, add_input, add_constant, exact_only=False):
        self.rng, self.pool, self.exact_only = rng, pool, exact_only
        self.add_input, self.add_constant = add_input, add_constant

    def int(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, choices):
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, p):
        return bool(self.rng.random() < p)

    def shape(self, low=1, high=4, most=6, empty=0.0):
        return tuple(0 if self.chance(empty) else self.int(1, most) for _ in range(self.int(low, high)))

    def array(self, dtype, shape, low=-4, high=4):
        """Multiples of 1/8 for floats, so that sums and products of a few are exact."""
        dtype = np.dtype(dtype)
        if dtype == np.bool_:
            return self.rng.integers(0, 2, shape).astype(np.bool_)
        if dtype.kind in "iu":
            low = max(low, np.iinfo(dtype).min)
            return self.rng.integers(low, high + 1, shape).astype(dtype)
        return (self.rng.integers(low * 8, high * 8 + 1, shape) / 8).astype(dtype)

    def value(self, dtype=np.float32, shape=None, rank=None, low=-4, high=4, reuse=0.5):
        """The name of an operand: one made earlier where it fits, else a new graph input."""
        if reuse and self.chance(reuse):
            fits = [n for n, (a, exact) in self.pool.items()
                    if a.dtype == dtype and (shape is None or a.shape == tuple(shape))
                    and (rank is None or a.ndim in rank) and a.size <= 4096 and (exact or not self.exact_only)
                    and (low >= -4 or a.size == 0 or a.min() >= low)
                    and not (low > -4 and (a.size == 0 or a.min() < low))]
            if fits:
                return self.pick(fits)
        if shape is None:
            ranks = list(rank) if rank is not None else [0, 1, 2, 3, 4]
            shape = tuple(self.int(1, 5) for _ in range(self.pick(ranks)))
        return self.add_input(self.array(dtype, shape, low, high))

    def constant(self, array):
        array = np.asarray(array)
        return self.add_constant(array) if self.chance(0.7) else self.add_input(array)

    def data(self, name):
        return self.pool[name][0]

    def dtype(self, wide=0.25):
        return self.pick((np.float64, np.float16, np.int32, np.int64)) if self.chance(wide) else np.float32

    def float_dtype(self):
        return self.pick((np.float64, np.float16)) if self.chance(0.15) else np.float32

    def axis(self, rank):
        return self.int(-rank, rank - 1)

    def axes(self, rank):
        chosen = [a for a in range(rank) if self.chance(0.5)]
        return [a - rank if self.chance(0.3) else a for a in chosen]

    def broadcastable(self, shape):
        """A shape that broadcasts with `shape`."""
        result = [1 if self.chance(0.3) else d for d in shape]
        return tuple(result[self.int(0, len(result)):]) if self.chance(0.5) else tuple(result)


# ---- families -----------------------------------------------------------------------------------

def unary(d, op, dtype=None, low=-4, high=4):
    return Node(op, [d.value(dtype or d.float_dtype(), low=low, high=high)])


def unary_any(d, op):
    return Node(op, [d.value(d.dtype())])


def unary_positive(d, op):
    return unary(d, op, low=1)


def unary_unit(d, op):
    x = d.add_input((d.array(np.float32, d.shape()) / 4.5).astype(np.float32))
    return Node(op, [x])


def unary_alpha(d, op):
    names = {"Elu": ["alpha"], "LeakyRelu": ["alpha"], "ThresholdedRelu": ["alpha"], "Celu": ["alpha"],
             "Selu": ["alpha", "gamma"], "HardSigmoid": ["alpha", "beta"], "Shrink": ["lambd", "bias"]}[op]
    return Node(op, [d.value()], {n: d.int(1, 8) / 8 for n in names if d.chance(0.6)})


def binary(d, op, dtype=None):
    dtype = dtype or d.dtype()
    a = d.value(dtype)
    b = d.value(dtype, shape=d.broadcastable(d.data(a).shape))
    return Node(op, [a, b] if d.chance(0.7) else [b, a])


def prelu(d, op):
    x = d.value(d.float_dtype())
    shape, dtype = d.data(x).shape, d.data(x).dtype
    return Node(op, [x, d.value(dtype, shape=d.broadcastable(shape))])


def divide(d, op):
    dtype = d.dtype()
    a = d.value(dtype)
    b = d.array(dtype, d.broadcastable(d.data(a).shape), 1, 4)
    return Node(op, [a, d.constant(-b if d.chance(0.3) else b)])


def modulo(d, op):
    node = divide(d, op)
    kind = d.data(node.inputs[0]).dtype.kind
    node.attributes = {"fmod": 1} if kind == "f" or d.chance(0.3) else {}
    return node


def power(d, op):
    a = d.value(d.float_dtype(), low=1)
    dtype = d.data(a).dtype if d.chance(0.7) else d.pick(INTS)
    return Node(op, [a, d.constant(d.array(dtype, d.broadcastable(d.data(a).shape), 0, 3))])


def variadic(d, op):
    dtype = d.float_dtype() if op in ("Sum", "Mean") else d.dtype()
    first = d.value(dtype)
    shape = d.data(first).shape
    rest = [d.value(dtype, shape=d.broadcastable(shape)) for _ in range(d.int(0, 2))]
    return Node(op, [first] + rest)


def compare(d, op):
    return binary(d, op, d.pick((np.float32, np.float32, np.int32, np.int64)))


def logic(d, op):
    return binary(d, op, np.bool_)


def bitwise(d, op):
    return binary(d, op, d.pick((np.int32, np.int64, np.uint8, np.int8)))


def shift(d, op):
    dtype = d.pick((np.uint8, np.uint32, np.uint64))
    a = d.value(dtype, low=0)
    return Node(op, [a, d.constant(d.array(dtype, d.broadcastable(d.data(a).shape), 0, 7))],
                {"direction": d.pick(("LEFT", "RIGHT"))})


def where(d, op):
    x = d.value(d.dtype())
    shape, dtype = d.data(x).shape, d.data(x).dtype
    return Node(op, [d.value(np.bool_, shape=d.broadcastable(shape)), x, d.value(dtype, shape=d.broadcastable(shape))])


def reduce(d, op):
    x = d.value(d.float_dtype(), rank=(0, 1, 2, 3, 4), low=1 if op.startswith("ReduceLog") else -4)
    rank = d.data(x).ndim
    attributes = {"keepdims": d.int(0, 1)} if d.chance(0.7) else {}
    inputs = [x]
    if d.chance(0.75):
        inputs.append(d.constant(np.array(d.axes(rank), np.int64)))
    if d.chance(0.3):
        attributes["noop_with_empty_axes"] = d.int(0, 1)
    return Node(op, inputs, attributes)


def arg(d, op):
    x = d.value(d.pick((np.float32, np.int32)), rank=(1, 2, 3, 4))
    return Node(op, [x], {"axis": d.axis(d.data(x).ndim), "keepdims": d.int(0, 1), "select_last_index": d.int(0, 1)})


def axis_op(d, op):
    x = d.value(d.float_dtype(), rank=(1, 2, 3, 4))
    return Node(op, [x], {"axis": d.axis(d.data(x).ndim)} if d.chance(0.8) else {})


def lp_normalization(d, op):
    x = d.value(rank=(1, 2, 3, 4), low=1)
    return Node(op, [x], {"axis": d.axis(d.data(x).ndim), "p": d.int(1, 2)})


def cumsum(d, op):
    x = d.value(d.pick((np.float32, np.int32)), rank=(1, 2, 3))
    return Node(op, [x, d.constant(np.array(d.axis(d.data(x).ndim), d.pick(INTS)))],
                {"exclusive": d.int(0, 1), "reverse": d.int(0, 1)})


def matmul(d, op):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    batch = d.shape(0, 2, 3)
    a = d.broadcastable(batch) + (m, k) if d.chance(0.9) else (k,)
    b = batch + (k, n) if d.chance(0.9) else (k,)
    return Node(op, [d.value(shape=a), d.value(shape=b)])


def gemm(d, op):
    m, k, n = d.int(1, 6), d.int(1, 6), d.int(1, 6)
    ta, tb = d.int(0, 1), d.int(0, 1)
    inputs = [d.value(shape=(k, m) if ta else (m, k)), d.value(shape=(n, k) if tb else (k, n))]
    if d.chance(0.7):
        inputs.append(d.value(shape=d.pick([(m, n), (n,), (1, n), (m, 1), (1,), ()])))
    return Node(op, inputs, {"transA": ta, "transB": tb, "alpha": d.int(1, 8) / 4, "beta": d.int(0, 8) / 4})


def einsum(d, op):
    sizes = {c: d.int(1, 4) for c in "bijk"}
    equation = d.pick(["ij,jk->ik", "bij,bjk->bik", "ij->ji", "bij->b", "ii->i", "ij,ij->", "bij,k->bk", "i,j->ij", "...ij->...ji"])
    terms = equation.split("->")[0].split(",")
    return Node(op, [d.value(shape=tuple(sizes[c] for c in t.replace("...", "b"))) for t in terms], {"equation": equation})


def window(d, spatial, kernel_most=3, pads=True, dilation=True):
    """Attributes of a sliding window and a spatial extent that it fits."""
    kernel = [d.int(1, kernel_most) for _ in range(spatial)]
    attributes = {"kernel_shape": kernel}
    dilations = [d.int(1, 2) for _ in range(spatial)] if dilation and d.chance(0.4) else [1] * spatial
    if dilations != [1] * spatial:
        attributes["dilations"] = dilations
    if d.chance(0.6):
        attributes["strides"] = [d.int(1, 3) for _ in range(spatial)]
    # With SAME padding ONNX Runtime's pools pass over dilations, and windows narrower than the stride
    # start at an offset there, contrary to the specification.
    narrow = any(k < s for k, s in zip(kernel, attributes.get("strides", [1] * spatial)))
    if d.chance(0.25):
        same = [] if narrow or "dilations" in attributes else ["SAME_UPPER", "SAME_LOWER"]
        attributes["auto_pad"] = d.pick(same + ["VALID"])
    elif pads and d.chance(0.6):
        attributes["pads"] = [d.int(0, k - 1) for k in kernel * 2]
    extents = tuple((k - 1) * s + 1 + d.int(0, 4) for k, s in zip(kernel, dilations))
    return attributes, extents


def conv(d, op):
    spatial = d.pick([1, 2, 2, 2, 3])
    attributes, extents = window(d, spatial)
    group, per_in, per_out = d.pick([1, 1, 2, 3, 8]), d.pick([1, 2, 3]), d.pick([1, 2, 4])
    x = (d.int(1, 2), group * per_in) + extents
    w = (group * per_out, per_in) + tuple(attributes["kernel_shape"])
    inputs = [d.value(shape=x), d.constant(d.array(np.float32, w))]
    if d.chance(0.5):
        inputs.append(d.constant(d.array(np.float32, (group * per_out,))))
    if group > 1:
        attributes["group"] = group
    return Node(op, inputs, attributes)


def conv_transpose(d, op):
    spatial = d.pick([1, 2, 2, 3])
    kernel = [d.int(1, 3) for _ in range(spatial)]
    strides = [d.int(1, 3) for _ in range(spatial)]
    attributes = {"kernel_shape": kernel, "strides": strides}
    if d.chance(0.3):
        attributes["dilations"] = [d.int(1, 2) for _ in range(spatial)]
    if d.chance(0.4):
        attributes["output_padding"] = [d.int(0, s - 1) for s in strides]
    # Where the stride is wider than the kernel, ONNX Runtime's output is not input * stride.
    wide = all(k >= s for k, s in zip(kernel, strides))
    if wide and d.chance(0.2):
        attributes["auto_pad"] = d.pick(["SAME_UPPER", "SAME_LOWER"])
    elif d.chance(0.5):
        attributes["pads"] = [d.int(0, (k - 1) // 2) for k in kernel * 2]
    group, per_in, per_out = d.pick([1, 1, 2]), d.pick([1, 2, 3]), d.pick([1, 2, 4])
    x = (d.int(1, 2), group * per_in) + tuple(d.int(2, 5) for _ in range(spatial))
    inputs = [d.value(shape=x), d.constant(d.array(np.float32, (group * per_in, per_out, *kernel)))]
    if d.chance(0.5):
        inputs.append(d.constant(d.array(np.float32, (group * per_out,))))
    attributes["group"] = group
    return Node(op, inputs, attributes)


def pool(d, op):
    spatial = d.pick([1, 2, 2, 3])
    attributes, extents = window(d, spatial)
    if d.chance(0.3) and attributes.get("auto_pad") is None:
        attributes["ceil_mode"] = 1
    if op == "AveragePool" and d.chance(0.4):
        attributes["count_include_pad"] = 1
    if op == "LpPool":
        attributes["p"] = d.int(1, 3)
    return Node(op, [d.value(shape=(d.int(1, 2), d.int(1, 3)) + extents)], attributes)


def global_pool(d, op):
    x = d.value(rank=(3, 4, 5), shape=None)
    return Node(op, [x])


def batch_normalization(d, op):
    x = d.value(rank=(2, 3, 4))
    channels = d.data(x).shape[1]
    vectors = [d.array(np.float32, (channels,)) for _ in range(3)] + [d.array(np.float32, (channels,), 1, 4)]
    return Node(op, [x] + [d.constant(v) for v in vectors], {"epsilon": 1e-3} if d.chance(0.5) else {})


def instance_normalization(d, op):
    x = d.value(shape=(d.int(1, 2), d.int(1, 4), d.int(2, 6), d.int(2, 6)))
    channels = d.data(x).shape[1]
    return Node(op, [x, d.constant(d.array(np.float32, (channels,))), d.constant(d.array(np.float32, (channels,)))])


def group_normalization(d, op):
    groups = d.int(1, 3)
    channels = groups * d.int(1, 3)
    x = d.value(shape=(d.int(1, 2), channels, d.int(2, 5), d.int(2, 5)))
    return Node(op, [x, d.constant(d.array(np.float32, (channels,))), d.constant(d.array(np.float32, (channels,)))],
                {"num_groups": groups})


def layer_normalization(d, op):
    x = d.value(shape=tuple(d.int(2, 6) for _ in range(d.int(2, 4))))
    shape = d.data(x).shape
    axis = d.axis(len(shape))
    tail = shape[axis:]
    inputs = [x, d.constant(d.array(np.float32, tail))]
    if d.chance(0.5):
        inputs.append(d.constant(d.array(np.float32, tail)))
    return Node(op, inputs, {"axis": axis, "epsilon": 1e-2})


def lrn(d, op):
    x = d.value(rank=(3, 4))
    return Node(op, [x], {"size": d.pick([1, 3, 5]), "alpha": d.int(1, 8) / 16, "bias": d.int(1, 4) / 2})


def reshape(d, op):
    x = d.value(d.dtype())
    size = d.data(x).size
    shape = []
    while size > 1 and d.chance(0.8):
        divisors = [k for k in range(1, size + 1) if size % k == 0]
        shape.append(d.pick(divisors))
        size //= shape[-1]
    shape.append(size)
    if d.chance(0.5):
        shape[d.int(0, len(shape) - 1)] = -1
    return Node(op, [x, d.constant(np.array(shape, np.int64))])


def transpose(d, op):
    x = d.value(d.dtype())
    rank = d.data(x).ndim
    return Node(op, [x], {"perm": [int(i) for i in d.rng.permutation(rank)]} if rank and d.chance(0.8) else {})


def flatten(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3, 4))
    return Node(op, [x], {"axis": d.int(-d.data(x).ndim, d.data(x).ndim)})


def concat(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3, 4))
    shape, dtype = list(d.data(x).shape), d.data(x).dtype
    axis = d.axis(len(shape))
    inputs = [x]
    for _ in range(d.int(0, 2)):
        shape[axis] = d.int(1, 4)
        inputs.append(d.value(dtype, shape=tuple(shape)))
    return Node(op, inputs, {"axis": axis})


def split(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3))
    axis = d.axis(d.data(x).ndim)
    extent = d.data(x).shape[axis]
    parts = d.int(1, min(3, extent))
    if d.chance(0.5):
        return Node(op, [x], {"axis": axis, "num_outputs": parts}, outputs=parts)
    cuts = sorted(d.int(0, extent) for _ in range(parts - 1))
    sizes = np.diff([0] + cuts + [extent]).astype(np.int64)
    return Node(op, [x, d.constant(sizes)], {"axis": axis}, outputs=parts)


def slice_(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3, 4))
    rank = d.data(x).ndim
    axes = d.axes(rank) or [0]
    steps = [d.pick([1, 1, 2, -1, -2, 3]) for _ in axes]
    starts = [d.int(-7, 7) for _ in axes]
    # The largest integers mean "to the end", in the direction of the step.
    ends = [d.pick([d.int(-7, 7), 2**31 if s > 0 else -2**31]) for s in steps]
    kind = d.pick(INTS)
    ends = np.clip(ends, np.iinfo(kind).min, np.iinfo(kind).max)
    return Node(op, [x] + [d.constant(np.array(v, kind)) for v in (starts, ends, axes, steps)])


def gather(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3))
    axis = d.axis(d.data(x).ndim)
    extent = d.data(x).shape[axis]
    return Node(op, [x, d.constant(d.array(d.pick(INTS), d.shape(0, 2), -extent, extent - 1).clip(-extent, extent - 1))], {"axis": axis})


def gather_elements(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3))
    shape = d.data(x).shape
    axis = d.axis(len(shape))
    wanted = tuple(d.int(1, s) if i != axis % len(shape) else d.int(1, 5) for i, s in enumerate(shape))
    return Node(op, [x, d.constant(d.array(np.int64, wanted, -shape[axis], shape[axis] - 1))], {"axis": axis})


def gather_nd(d, op):
    x = d.value(d.dtype(), rank=(2, 3, 4))
    shape = d.data(x).shape
    batch = d.int(0, 1)
    depth = d.int(1, len(shape) - batch)
    where_ = shape[:batch] + d.shape(0, 2, 3)
    index = np.stack([d.array(np.int64, where_, -shape[batch + k], shape[batch + k] - 1) for k in range(depth)], -1)
    return Node(op, [x, d.constant(index)], {"batch_dims": batch})


def scatter_elements(d, op):
    x = d.value(rank=(1, 2, 3))
    shape = d.data(x).shape
    axis = d.axis(len(shape))
    wanted = tuple(d.int(1, s) for s in shape)
    index = np.argsort(d.rng.random(shape), axis=axis)[tuple(slice(0, w) for w in wanted)].astype(np.int64)
    attributes = {"axis": axis}
    if d.chance(0.5):
        attributes["reduction"] = d.pick(["add", "mul", "max", "min"])
    return Node(op, [x, d.constant(index), d.value(shape=wanted)], attributes)


def scatter_nd(d, op):
    x = d.value(rank=(1, 2, 3))
    shape = d.data(x).shape
    count = d.int(1, shape[0])
    index = d.rng.permutation(shape[0])[:count].reshape(count, 1).astype(np.int64)
    return Node(op, [x, d.constant(index), d.value(shape=(count,) + shape[1:])],
                {"reduction": d.pick(["add", "mul", "max", "min"])} if d.chance(0.5) else {})


def pad(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3, 4))
    shape = d.data(x).shape
    mode = d.pick(["constant", "reflect", "edge", "wrap"])
    low = -1 if mode == "constant" and min(shape) > 2 else 0
    most = {"reflect": min(shape) - 1, "wrap": min(shape)}.get(mode, 3)
    inputs = [x, d.constant(np.array([d.int(low, max(0, min(3, most))) for _ in range(2 * len(shape))], np.int64))]
    if mode == "constant" and d.chance(0.6):
        inputs.append(d.constant(d.array(d.data(x).dtype, ())))
    return Node(op, inputs, {"mode": mode})


def tile(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3))
    return Node(op, [x, d.constant(np.array([d.int(1, 3) for _ in d.data(x).shape], np.int64))])


def expand(d, op):
    x = d.value(d.dtype())
    shape = [d.int(1, 4) if s == 1 else d.pick([1, s]) for s in d.data(x).shape]
    return Node(op, [x, d.constant(np.array(([d.int(1, 3)] if d.chance(0.3) else []) + shape, np.int64))])


def squeeze(d, op):
    shape = tuple(d.pick([1, 1, d.int(2, 4)]) for _ in range(d.int(1, 4)))
    x = d.value(d.dtype(), shape=shape)
    ones = [i - (len(shape) if d.chance(0.3) else 0) for i, s in enumerate(shape) if s == 1]
    if ones and d.chance(0.7):
        return Node(op, [x, d.constant(np.array(ones, np.int64))])
    return Node(op, [x])


def unsqueeze(d, op):
    x = d.value(d.dtype(), rank=(0, 1, 2))
    rank = d.data(x).ndim
    count = d.int(1, 2)
    axes = [int(a) for a in d.rng.permutation(rank + count)[:count]]
    return Node(op, [x, d.constant(np.array([a - rank - count if d.chance(0.3) else a for a in axes], np.int64))])


def depth_space(d, op):
    b = d.int(1, 3)
    if op == "DepthToSpace":
        x = d.value(shape=(d.int(1, 2), b * b * d.int(1, 3), d.int(1, 3), d.int(1, 3)))
        return Node(op, [x], {"blocksize": b, "mode": d.pick(["DCR", "CRD"])})
    return Node(op, [d.value(shape=(d.int(1, 2), d.int(1, 3), b * d.int(1, 3), b * d.int(1, 3)))], {"blocksize": b})


def resize(d, op):
    x = d.value(shape=(d.int(1, 2), d.int(1, 3), d.int(2, 6), d.int(2, 6)))
    shape = d.data(x).shape
    mode = d.pick(["nearest", "linear", "cubic"])
    attributes = {"mode": mode, "coordinate_transformation_mode": d.pick(
        ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])}
    if mode == "nearest":
        attributes["nearest_mode"] = d.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    if mode == "cubic":
        attributes["cubic_coeff_a"] = d.pick([-0.75, -0.5])
        if d.chance(0.3):
            attributes["exclude_outside"] = 1
    if d.chance(0.5):
        sizes = shape[:2] + tuple(d.int(1, 9) for _ in range(2))
        return Node(op, [x, "", "", d.constant(np.array(sizes, np.int64))], attributes)
    scales = np.array([1, 1] + [d.pick([0.5, 1.5, 2, 2.5, 3]) for _ in range(2)], np.float32)
    return Node(op, [x, "", d.constant(scales)], attributes)


def topk(d, op):
    shape = d.shape(1, 3)
    x = d.add_input(d.rng.permutation(int(np.prod(shape))).reshape(shape).astype(d.pick((np.float32, np.int64))))
    axis = d.axis(len(shape))
    return Node(op, [x, d.constant(np.array([d.int(0, shape[axis])], np.int64))],
                {"axis": axis, "largest": d.int(0, 1)}, outputs=2)


def one_hot(d, op):
    indices = d.value(np.int64, low=-4, rank=(0, 1, 2))
    depth = d.int(1, 6)
    return Node(op, [indices, d.constant(np.array(depth, np.int64)), d.constant(d.array(np.float32, (2,)))],
                {"axis": d.axis(d.data(indices).ndim + 1)})


def trilu(d, op):
    x = d.value(d.pick((np.float32, np.int64)), rank=(2, 3))
    return Node(op, [x] + ([d.constant(np.array(d.int(-3, 3), np.int64))] if d.chance(0.7) else []), {"upper": d.int(0, 1)})


def cast(d, op):
    kinds = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}
    source = d.pick(list(kinds.values()))
    target = d.pick(list(kinds))
    unsigned = target == 2
    return Node(op, [d.value(source, low=0 if unsigned else -4, reuse=0.2)], {"to": target})


def clip(d, op):
    x = d.value(d.pick((np.float32, np.int32, np.int64)))
    dtype = d.data(x).dtype
    return Node(op, [x, d.constant(d.array(dtype, (), -3, 0)), d.constant(d.array(dtype, (), 1, 3))])


def shape_(d, op):
    x = d.value(d.dtype())
    return Node(op, [x], {k: d.int(-4, 4) for k in ("start", "end") if d.chance(0.4)})


def size_(d, op):
    return Node(op, [d.value(d.dtype())])


def compress(d, op):
    x = d.value(d.pick((np.float32, np.int64)), rank=(1, 2, 3))
    shape = d.data(x).shape
    if d.chance(0.3):
        return Node(op, [x, d.constant(d.array(np.bool_, (int(np.prod(shape)),)))])
    axis = d.axis(len(shape))
    return Node(op, [x, d.constant(d.array(np.bool_, (shape[axis],)))], {"axis": axis})


def reverse_sequence(d, op):
    x = d.value(shape=(d.int(1, 5), d.int(1, 5), d.int(1, 3)))
    time = d.int(0, 1)
    lengths = d.array(np.int64, (d.data(x).shape[1 - time],), 1, d.data(x).shape[time])
    return Node(op, [x, d.constant(lengths)], {"batch_axis": 1 - time, "time_axis": time})


def grid_sample(d, op):
    x = d.value(shape=(d.int(1, 2), d.int(1, 3), d.int(2, 5), d.int(2, 5)))
    grid = (d.rng.random((d.data(x).shape[0], d.int(1, 4), d.int(1, 4), 2)) * 2.6 - 1.3).astype(np.float32)
    return Node(op, [x, d.add_input(grid)], {"mode": d.pick(["linear", "nearest", "cubic"]),
                                             "padding_mode": d.pick(["zeros", "border", "reflection"]),
                                             "align_corners": d.int(0, 1)})


def roi_align(d, op):
    x = d.value(shape=(2, d.int(1, 3), d.int(4, 7), d.int(4, 7)))
    count = d.int(1, 3)
    corner = d.rng.random((count, 2)) * 3
    rois = np.concatenate([corner, corner + 0.5 + d.rng.random((count, 2)) * 3], 1).astype(np.float32)
    return Node(op, [x, d.add_input(rois), d.add_input(d.array(np.int64, (count,), 0, 1))],
                {"output_height": d.int(1, 3), "output_width": d.int(1, 3), "sampling_ratio": d.int(0, 3),
                 "mode": d.pick(["avg", "max"]), "spatial_scale": d.pick([1.0, 0.5]),
                 "coordinate_transformation_mode": d.pick(["half_pixel", "output_half_pixel"])})


def recurrent(d, op):
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    length, batch, inputs, hidden = d.int(1, 4), d.int(1, 3), d.int(1, 4), d.int(1, 4)
    direction = d.pick(["forward", "reverse", "bidirectional"])
    count = 2 if direction == "bidirectional" else 1
    small = lambda *s: d.constant((d.array(np.float32, s) / 8).astype(np.float32))
    operands = [d.value(shape=(length, batch, inputs)), small(count, gates * hidden, inputs), small(count, gates * hidden, hidden)]
    operands.append(small(count, 2 * gates * hidden) if d.chance(0.6) else "")
    operands.append(d.constant(d.array(np.int32, (batch,), 1, length)) if d.chance(0.3) else "")
    operands.append(small(count, batch, hidden) if d.chance(0.5) else "")
    if op == "LSTM" and d.chance(0.4):
        operands.append(small(count, batch, hidden))
        if d.chance(0.4):
            operands.append(small(count, 3 * hidden))
    attributes = {"hidden_size": hidden, "direction": direction}
    if op == "GRU" and d.chance(0.5):
        attributes["linear_before_reset"] = 1
    if d.chance(0.2):
        attributes["clip"] = 1.5
    return Node(op, operands, attributes, outputs=3 if op == "LSTM" else 2)


def quantize(d, op):
    x = d.value(rank=(2, 3))
    kind = d.pick((np.uint8, np.int8))
    axis = d.int(0, 1)
    shape = (d.data(x).shape[axis],) if d.chance(0.5) else ()
    scale = d.pick([0.25, 0.5]) * np.ones(shape, np.float32)
    return Node(op, [x, d.constant(scale), d.constant(d.array(kind, shape, 0, 9))], {"axis": axis})


def dequantize(d, op):
    kind = d.pick((np.uint8, np.int8, np.int32))
    x = d.value(kind, rank=(2, 3), low=0)
    axis = d.int(0, 1)
    shape = (d.data(x).shape[axis],) if d.chance(0.5) else ()
    inputs = [x, d.constant(d.array(np.float32, shape, 1, 2))]
    if kind != np.int32:
        inputs.append(d.constant(d.array(kind, shape, 0, 9)))
    return Node(op, inputs, {"axis": axis})


def dynamic_quantize(d, op):
    return Node(op, [d.value(rank=(1, 2, 3))], outputs=3)


def matmul_integer(d, op):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    a, b = d.pick((np.uint8, np.int8)), d.pick((np.uint8, np.int8))
    a = np.uint8 if b == np.uint8 else a
    return Node(op, [d.value(a, shape=(m, k), low=0), d.value(b, shape=(k, n), low=0),
                     d.constant(d.array(a, (), 0, 4)), d.constant(d.array(b, (), 0, 4))])


def qlinear_matmul(d, op):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    one = lambda v: d.add_constant(np.array(v, np.float32))
    zero = lambda: d.add_constant(np.array(d.int(0, 4), np.uint8))
    return Node(op, [d.value(np.uint8, shape=(m, k), low=0), one(0.5), zero(), d.value(np.uint8, shape=(k, n), low=0),
                     one(0.25), zero(), one(0.5), zero()])


def qlinear_conv(d, op):
    attributes, extents = window(d, 2)
    group, per_in, per_out = d.pick([1, 1, 2]), d.pick([1, 2]), d.pick([1, 2])
    one = lambda v: d.add_constant(np.array(v, np.float32))
    inputs = [d.value(np.uint8, shape=(1, group * per_in) + extents, low=0), one(0.5), d.add_constant(np.array(d.int(0, 4), np.uint8)),
              d.add_constant(d.array(np.int8, (group * per_out, per_in, *attributes["kernel_shape"]))), one(0.25),
              d.add_constant(np.array(0, np.int8)), one(0.5), d.add_constant(np.array(d.int(0, 9), np.uint8))]
    if d.chance(0.5):
        inputs.append(d.add_constant(d.array(np.int32, (group * per_out,))))
    attributes["group"] = group
    return Node(op, inputs, attributes)


def range_(d, op):
    dtype = d.pick((np.float32, np.int32, np.int64))
    return Node(op, [d.constant(np.array(v, dtype)) for v in (d.int(-3, 3), d.int(-3, 9), d.pick([1, 2, -1]))])


def non_zero(d, op):
    return Node(op, [d.value(d.pick((np.float32, np.bool_, np.int64)), rank=(1, 2, 3))])


def unique(d, op):
    x = d.value(d.pick((np.float32, np.int64)), rank=(1, 2))
    attributes = {"sorted": d.int(0, 1)}
    if d.chance(0.4):
        attributes["axis"] = d.axis(d.data(x).ndim)
    return Node(op, [x], attributes, outputs=4)


def non_max_suppression(d, op):
    boxes, classes = d.int(1, 6), d.int(1, 2)
    corner = d.rng.random((1, boxes, 2)) * 4
    extent = 0.5 + d.rng.random((1, boxes, 2)) * 3
    scores = d.rng.permutation(boxes * classes).reshape(1, classes, boxes) / 16
    return Node(op, [d.add_input(np.concatenate([corner, corner + extent], 2).astype(np.float32)),
                     d.add_input(scores.astype(np.float32)), d.constant(np.array([d.int(1, 4)], np.int64)),
                     d.constant(np.array([0.3], np.float32)), d.constant(np.array([0.1], np.float32))],
                {"center_point_box": d.int(0, 1)})


@dataclass
class Row:
    op: str
    family: object
    exact: bool = False   # the result does not depend on order or precision of arithmetic
    steps: bool = False   # discontinuous: takes exact operands only


def rows(names, family, **flags):
    return [Row(name, family, **flags) for name in names.split()]


TABLE = list(itertools.chain(
    rows("Abs Neg Relu Sign", unary_any, exact=True),
    rows("Ceil Floor Round IsNaN", unary, exact=True, steps=True),
    rows("Exp Sin Cos Tan Sinh Cosh Tanh Sigmoid Erf Softplus Softsign Atan Asinh Mish HardSwish Gelu Swish", unary),
    rows("Sqrt Log Reciprocal Acosh", unary_positive), rows("Asin Acos Atanh", unary_unit),
    rows("Elu LeakyRelu Selu Celu ThresholdedRelu HardSigmoid Shrink", unary_alpha, steps=True),
    rows("Add Sub Mul", binary, exact=True), rows("Div", divide), rows("Mod", modulo, steps=True), rows("Pow", power),
    rows("PRelu", prelu), rows("Sum Mean Max Min", variadic),
    rows("Equal Less Greater LessOrEqual GreaterOrEqual", compare, exact=True, steps=True),
    rows("And Or Xor", logic, exact=True), rows("Not", lambda d, op: Node(op, [d.value(np.bool_)]), exact=True),
    rows("BitwiseAnd BitwiseOr BitwiseXor", bitwise, exact=True), rows("BitShift", shift, exact=True),
    rows("Where", where, exact=True),
    rows("ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp", reduce),
    rows("ArgMax ArgMin", arg, exact=True, steps=True), rows("Softmax LogSoftmax", axis_op), rows("Hardmax", axis_op, steps=True),
    rows("LpNormalization", lp_normalization), rows("CumSum", cumsum),
    rows("MatMul", matmul), rows("Gemm", gemm), rows("Einsum", einsum), rows("Conv", conv),
    rows("ConvTranspose", conv_transpose), rows("MaxPool AveragePool LpPool", pool),
    rows("GlobalAveragePool GlobalMaxPool", global_pool), rows("BatchNormalization", batch_normalization),
    rows("InstanceNormalization", instance_normalization), rows("GroupNormalization", group_normalization),
    rows("LayerNormalization", layer_normalization), rows("LRN", lrn),
    rows("Reshape", reshape, exact=True), rows("Transpose", transpose, exact=True), rows("Flatten", flatten, exact=True),
    rows("Concat", concat, exact=True), rows("Split", split, exact=True), rows("Slice", slice_, exact=True),
    rows("Gather", gather, exact=True), rows("GatherElements", gather_elements, exact=True), rows("GatherND", gather_nd, exact=True),
    rows("ScatterElements", scatter_elements), rows("ScatterND", scatter_nd), rows("Pad", pad, exact=True),
    rows("Tile", tile, exact=True), rows("Expand", expand, exact=True), rows("Squeeze", squeeze, exact=True),
    rows("Unsqueeze", unsqueeze, exact=True), rows("DepthToSpace SpaceToDepth", depth_space, exact=True),
    rows("Resize", resize, steps=True), rows("TopK", topk, exact=True, steps=True), rows("OneHot", one_hot, exact=True),
    rows("Trilu", trilu, exact=True), rows("Cast", cast, steps=True), rows("Clip", clip, exact=True),
    rows("Shape", shape_, exact=True), rows("Size", size_, exact=True), rows("Compress", compress, exact=True),
    rows("ReverseSequence", reverse_sequence, exact=True), rows("GridSample", grid_sample), rows("RoiAlign", roi_align),
    rows("RNN GRU LSTM", recurrent), rows("QuantizeLinear", quantize, exact=True, steps=True),
    rows("DequantizeLinear", dequantize), rows("DynamicQuantizeLinear", dynamic_quantize, steps=True),
    rows("MatMulInteger", matmul_integer, exact=True), rows("QLinearMatMul", qlinear_matmul, exact=True),
    rows("QLinearConv", qlinear_conv, exact=True), rows("Range", range_, exact=True), rows("NonZero", non_zero, exact=True, steps=True),
    rows("Unique", unique, exact=True, steps=True), rows("NonMaxSuppression", non_max_suppression, exact=True),
))
