#!/usr/bin/env python3
"""Judges the quantized operators of com.microsoft by ONNX Runtime.

    contrib_quantized_ops.py BINARY [OPERATOR ...] [--count N] [--seed N]

One row of CASES per operator, as in contrib_ops.py. Exit 77 when it cannot run.
"""
import sys

from contrib_ops import FLOAT, MICROSOFT, Node, main, np

BYTES = (np.uint8, np.int8)
INT32 = np.int32


def codes(d, dtype, *shape):
    limits = np.iinfo(dtype)
    return d.ints(limits.min, limits.max, *shape, dtype=dtype)


def scale(d, *shape):
    return np.asarray(np.exp(d.rng.uniform(-7, 1, shape)), FLOAT)


def parameters(d, dtype, optional=True, scalar=False):
    """A scale and zero point of a whole tensor."""
    shape = () if scalar or d.chance() else (1,)
    zero = codes(d, dtype, *shape)
    return [scale(d, *shape), d.maybe(zero, 0.8) if optional else zero]


def fixed(d, node, data):
    """Parameters, which are all inputs but `data`, are initializers or not."""
    if d.chance():
        node.constants = {k for k, a in enumerate(node.inputs) if a is not None and k not in data}
    return node


# --- Element by element ---------------------------------------------------------------------------

def mapped(d, attributes=None, steps=0):
    dtype = d.pick(*BYTES)
    shape = [d.int(1, 5) for _ in range(d.int(0, 4))]
    inputs = [codes(d, dtype, *shape)] + parameters(d, dtype) + parameters(d, dtype, optional=False)
    return fixed(d, Node(inputs, [dtype], attributes or {}, steps=steps), {0})


def broadcast(d, ranks):
    shape = [d.int(1, 4) for _ in range(d.int(0, 4))]
    return [[1 if d.chance(0.2) else x for x in shape[max(0, len(shape) - d.int(0, 4)) if r else 0:]] for r in ranks]


def binary(d):
    dtype = d.pick(*BYTES)
    a, b = broadcast(d, d.pick([0, 1], [1, 0]))
    # ONNX Runtime's type inference wants every zero point of its binary operators and pools.
    inputs = [codes(d, dtype, *a)] + parameters(d, dtype, optional=False, scalar=True)
    inputs += [codes(d, dtype, *b)] + parameters(d, dtype, optional=False, scalar=True)
    return fixed(d, Node(inputs + parameters(d, dtype, optional=False, scalar=True), [dtype]), {0, 3})


def where(d):
    dtype = d.pick(*BYTES)
    condition, x, y = broadcast(d, d.pick([0, 1, 1], [1, 0, 1], [1, 1, 0]))
    z = parameters(d, dtype, optional=False)
    inputs = [d.ints(0, 1, *condition).astype(bool), codes(d, dtype, *x)] + parameters(d, dtype, optional=False)
    inputs += [codes(d, dtype, *y)] + (z if d.chance(0.3) else parameters(d, dtype, optional=False))
    return fixed(d, Node(inputs + z, [dtype]), {0, 1, 4})


def concat(d):
    dtype = d.pick(*BYTES)
    shape = [d.int(1, 4) for _ in range(d.int(1, 4))]
    axis = d.int(-len(shape), len(shape) - 1)
    inputs = parameters(d, dtype, optional=False)
    to = list(inputs)
    for _ in range(d.int(1, 4)):
        shape[axis] = d.int(0, 4)
        inputs += [codes(d, dtype, *shape)] + (to if d.chance(0.3) else parameters(d, dtype, optional=False))
    shape[axis] = 2
    inputs += [codes(d, dtype, *shape)] + to
    return fixed(d, Node(inputs, [dtype], {"axis": axis}), set(range(2, len(inputs), 3)))


def softmax(d):
    # ONNX Runtime wraps int8 results beyond 127 around: the steps stay below that. It overflows for lines of one element.
    dtype = d.pick(*BYTES)
    shape = [d.int(1, 6) for _ in range(d.int(1, 4))]
    attributes = {"opset": d.pick(11, 13)} | d.optional(axis=d.int(-len(shape), len(shape) - 1))
    shape[attributes.get("axis", -1)] += 1
    unsigned = dtype == np.uint8
    y_scale, y_zero = d.pick((1 / 256, 0), (1 / 255, 0), (0.01, 3)) if unsigned else d.pick((1 / 255, -128), (0.01, 5))
    inputs = [codes(d, dtype, *shape)] + parameters(d, dtype) + [np.array(y_scale, FLOAT), np.array(y_zero, dtype)]
    return fixed(d, Node(inputs, [dtype], attributes, steps=1), {0})


# --- Windows --------------------------------------------------------------------------------------

def image(d, dtype, channels, extent, last):
    batch = d.int(1, 2)
    return codes(d, dtype, *([batch] + extent + [channels] if last else [batch, channels] + extent))


def average_pool(d):
    dtype, rank, last = d.pick(*BYTES), d.int(1, 3), d.chance(0.4)
    kernel = [d.int(1, 3) for _ in range(rank)]
    attributes = {"kernel_shape": kernel, "channels_last": int(last)}
    attributes |= d.optional(strides=[d.int(1, 3) for _ in range(rank)], count_include_pad=1, ceil_mode=1)
    if d.chance(0.3):
        attributes["auto_pad"] = d.pick("SAME_UPPER", "SAME_LOWER", "VALID")
        # Of windows apart ONNX Runtime makes negative pads.
        attributes["strides"] = [d.int(1, k) for k in kernel]
    elif d.chance():
        attributes["pads"] = [d.int(0, k - 1) for k in kernel + kernel]
    x = image(d, dtype, d.int(1, 4), [d.int(3, 7) for _ in range(rank)], last)
    inputs = [x] + parameters(d, dtype, optional=False, scalar=True) + parameters(d, dtype, optional=False, scalar=True)
    return fixed(d, Node(inputs, [dtype], attributes), {0})


def global_average_pool(d):
    dtype, last = d.pick(*BYTES), d.chance()
    x = image(d, dtype, d.int(1, 20), [d.int(1, 7) for _ in range(d.int(1, 3))], last)
    inputs = [x] + parameters(d, dtype, optional=False) + parameters(d, dtype, optional=False)
    limit = inputs[1].reshape(inputs[3].shape) / FLOAT(200)  # of ONNX Runtime, for the ratio of scales
    inputs[3] = np.asarray(np.maximum(inputs[3], limit))
    return fixed(d, Node(inputs, [dtype], {"channels_last": int(last)}), {0})


def conv(d):
    x_type, w_type, last = d.pick((np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)) + (d.chance(0.7),)
    rank, group = d.int(1, 2), d.int(1, 3)
    channels, maps = group * d.int(1, 3), group * d.int(1, 3)
    kernel = [d.int(1, 3) for _ in range(rank)]
    attributes = {"group": group, "channels_last": int(last)}
    attributes |= d.optional(kernel_shape=kernel, strides=[d.int(1, 2) for _ in range(rank)],
                             dilations=[d.int(1, 2) for _ in range(rank)], pads=[d.int(0, 1) for _ in range(2 * rank)])
    each = (maps,) if w_type == np.int8 and d.chance() else ()
    w = [codes(d, w_type, maps, channels // group, *kernel), np.asarray(scale(d, *each) * FLOAT(0.01)),
         np.zeros(each, w_type) if each else codes(d, w_type)]
    x = image(d, x_type, channels, [d.int(5, 8) for _ in range(rank)], last)
    bias = d.maybe(d.ints(-5000, 5000, maps))
    inputs = [x] + parameters(d, x_type, optional=False) + w + parameters(d, x_type, optional=False) + [bias]
    return fixed(d, Node(inputs, [x_type], attributes), {0})


# --- Products -------------------------------------------------------------------------------------

def columns(d, dtype, n, rank=2):
    """Scale and zero point of a right operand of n columns; ONNX Runtime takes one per column for matrices."""
    shape = d.pick((), (1,), (n,)) if rank == 2 else ()
    return scale(d, *shape), codes(d, dtype, *shape)


def gemm(d):
    types = d.pick((np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8))
    m, k, n = d.int(1, 5), d.int(1, 8), d.int(1, 6)
    attributes = d.optional(transA=1, transB=1, alpha=d.pick(0.5, 2.0, -0.3))
    a = codes(d, types[0], *([k, m] if "transA" in attributes else [m, k]))
    b = codes(d, types[1], *([n, k] if "transB" in attributes else [k, n]))
    c = d.maybe(d.ints(-20000, 20000, *d.pick((), (n,), (1, n), (m, 1), (m, n))))
    out = d.pick(None, types[0])
    y = [None, None] if out is None else parameters(d, out, optional=False)
    inputs = [a] + parameters(d, types[0], optional=False) + [b] + list(columns(d, types[1], n)) + [c] + y
    return fixed(d, Node(inputs, [out or FLOAT], attributes), {0, 3, 6})


def products(d):
    batch = [d.int(1, 3) for _ in range(d.int(0, 2))]
    m, k, n = d.int(1, 5), d.int(1, 8), d.int(1, 6)
    return batch + [m, k], [k, n] if d.chance() else batch + [k, n], n


def matmul_integer_to_float(d):
    types = d.pick((np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8))
    a, b, n = products(d)
    a_parameters, (b_scale, b_zero) = parameters(d, types[0]), columns(d, types[1], n, len(b))
    inputs = [codes(d, types[0], *a), codes(d, types[1], *b), a_parameters[0], b_scale, a_parameters[1],
              d.maybe(b_zero), d.maybe(d.floats(n))]
    return fixed(d, Node(inputs, [FLOAT]), {0, 1})


def dynamic_quantize_matmul(d):
    dtype = d.pick(*BYTES)
    a, b, n = products(d)
    b_scale, b_zero = columns(d, dtype, n, len(b))
    return fixed(d, Node([d.floats(*a), codes(d, dtype, *b), b_scale, d.maybe(b_zero), d.maybe(d.floats(n))]), {0})


def matmul_nbits(d):
    bits, block = d.pick(2, 4, 4, 8), d.pick(16, 32, 64)
    n, k = d.int(1, 9), d.int(1, 100)
    dtype = d.pick(FLOAT, FLOAT, np.float16)
    blocks = -(-k // block)
    scales = scale(d, n, blocks).astype(dtype)
    zeros = d.pick(None, codes(d, np.uint8, n, -(-blocks * bits // 8)))
    if bits == 4 and d.chance(0.3):  # the only width that ONNX Runtime knows such zero points for
        zeros = d.floats(n, blocks, dtype=dtype) * dtype(3)
    if d.chance(0.2):
        scales = scales.reshape(-1)
        zeros = None if zeros is None else zeros.reshape(-1)
    attributes = {"N": n, "K": k, "block_size": block, "bits": bits}
    groups = None
    if bits == 4 and d.chance(0.3):
        # ONNX Runtime reads the first entries of each block for all of it (constant per block here), and takes packed
        # zero points for 8.
        zeros = None if zeros is not None and zeros.dtype == np.uint8 else zeros
        order = d.rng.permutation(blocks).astype(INT32)
        groups = np.repeat(order, block)[:d.pick(k, blocks * block)]
    a = d.floats(*[d.int(1, 3) for _ in range(d.int(0, 2))], k, dtype=dtype)
    inputs = [a, codes(d, np.uint8, n, blocks, block * bits // 8), scales, zeros, groups, d.maybe(d.floats(n, dtype=dtype))]
    return fixed(d, Node(inputs, [dtype], attributes), {0})


# --- Others ---------------------------------------------------------------------------------------

def gather_block_quantized(d):
    import ml_dtypes

    kind = d.pick(np.uint8, ml_dtypes.uint4, ml_dtypes.int4, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2,
                  ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2fnuz, ml_dtypes.float4_e2m1fn)
    small_float = "float" in np.dtype(kind).name
    block = d.pick(16, 32) if not small_float or d.chance(0.7) else 0
    rank = d.int(2, 3)
    shape = [d.int(1, 4) for _ in range(rank)]
    attributes = {"block_size": block}
    quantize_axis, gather_axis, per_byte = rank - 1, 0, 1
    if kind == np.uint8:
        bits = d.pick(2, 4, 8)
        per_byte = 8 // bits
        attributes["bits"] = bits
        shape[-1] = d.int(1, 12)
    else:
        quantize_axis, gather_axis = d.int(0, rank - 1), d.int(0, rank - 1)
        shape[quantize_axis] = d.int(1, 40)
    attributes |= {"quantize_axis": quantize_axis - d.pick(0, rank), "gather_axis": gather_axis - d.pick(0, rank)}
    extent = shape[quantize_axis] * per_byte
    scale_shape = list(shape)
    scale_shape[quantize_axis] = -(-extent // (block or extent))
    if small_float:
        scale_shape = [1 if i != quantize_axis and d.chance(0.2) else e for i, e in enumerate(scale_shape)]
    zero_shape = list(scale_shape)
    zero_shape[quantize_axis] = -(-zero_shape[quantize_axis] // per_byte)
    make = lambda s: (d.floats(*s) * 3).astype(kind) if small_float else d.ints(0, 255, *s).astype(np.uint8) \
        if kind == np.uint8 else d.ints(-8, 7, *s).astype(kind) if kind == ml_dtypes.int4 else d.ints(0, 15, *s).astype(kind)
    dtype = d.pick(FLOAT, np.float16)
    length = shape[gather_axis]
    reach = length + (2 if d.chance(0.3) else 0)
    indices = d.ints(-reach, reach - 1, *[d.int(1, 3) for _ in range(d.int(0, 2))], dtype=d.pick(INT32, np.int64))
    zeros = None if small_float else d.maybe(make(zero_shape))
    inputs = [make(shape), indices, scale(d, *scale_shape).astype(dtype), zeros]
    return Node(inputs, [dtype], attributes, constants={k for k in (0, 2, 3) if inputs[k] is not None})


def dynamic_quantize_lstm(d):
    direction = d.pick("forward", "reverse", "bidirectional")
    directions = 2 if direction == "bidirectional" else 1
    steps, batch, size, hidden = d.int(1, 5), d.int(1, 4), d.int(1, 6), d.int(1, 5)
    attributes = {"hidden_size": hidden, "direction": direction} | d.optional(0.2, clip=0.5, input_forget=1)
    if d.chance(0.3):
        attributes["activations"] = [d.pick("Sigmoid", "HardSigmoid"), d.pick("Tanh", "Relu"), "Tanh"] * directions

    dtype = d.pick(*BYTES)

    def weight(rows):
        shape = (directions, 4 * hidden) if d.chance() else (directions,)
        zero = np.zeros(shape, dtype)
        if dtype == np.uint8 and d.chance():
            zero[:] = 128
        return codes(d, dtype, directions, rows, 4 * hidden), d.rng.uniform(1e-3, 1e-2, shape).astype(FLOAT), zero

    w, w_scale, w_zero = weight(size)
    r, r_scale, r_zero = weight(hidden)
    state = (directions, batch, hidden)
    inputs = [d.floats(steps, batch, size), w, r, d.maybe(d.floats(directions, 8 * hidden)),
              d.maybe(d.ints(0, steps, batch), 0.3), d.maybe(d.floats(*state)), d.maybe(d.floats(*state)),
              d.maybe(d.floats(directions, 3 * hidden), 0.3), w_scale, w_zero, r_scale, r_zero]
    # A state next to a rounding boundary may be quantized to either code.
    return fixed(d, Node(inputs, [FLOAT] * d.int(1, 3), attributes, tolerance=5e-3), {0, 4, 5, 6})


def quantizer_types():
    import ml_dtypes

    return np.uint8, np.int8, np.uint16, np.int16, ml_dtypes.int4, ml_dtypes.uint4


def per_axis(d):
    shape = [d.int(1, 5) for _ in range(d.int(1, 4))]
    axis = d.int(-len(shape), len(shape) - 1)
    each = d.chance()
    return shape, [shape[axis]] if each else [], {"axis": axis} if each else {}


def small_codes(d, dtype, *shape):
    if np.dtype(dtype).name in ("int4", "uint4"):
        low = -8 if np.dtype(dtype).name == "int4" else 0
        return d.ints(low, low + 15, *shape).astype(dtype)
    return codes(d, dtype, *shape)


def quantize(d):
    shape, each, attributes = per_axis(d)
    dtype, real = d.pick(*quantizer_types()), d.pick(FLOAT, np.float16)
    inputs = [np.asarray(d.floats(*shape, dtype=real) * real(4)), scale(d, *each).astype(real), small_codes(d, dtype, *each)]
    return Node(inputs, [dtype], attributes, constants={2} | ({1} if d.chance() else set()))


def dequantize(d):
    shape, each, attributes = per_axis(d)
    dtype, real = d.pick(INT32, *quantizer_types()), d.pick(FLOAT, np.float16)
    x = d.ints(-1000, 1000, *shape) if dtype == INT32 else small_codes(d, dtype, *shape)
    zero = np.zeros(each, INT32) if dtype == INT32 else small_codes(d, dtype, *each)
    inputs = [x, scale(d, *each).astype(real), d.maybe(zero)]
    return Node(inputs, [real], attributes, constants={0} | ({2} if inputs[2] is not None else set()))


CASES = [(name, MICROSOFT, draw) for name, draw in [
    ("QuantizeLinear", quantize),
    ("DequantizeLinear", dequantize),
    ("QLinearSigmoid", lambda d: mapped(d, steps=1)),
    ("QLinearLeakyRelu", lambda d: mapped(d, d.optional(alpha=d.pick(0.2, 0.5, -1.5)))),
    ("QLinearAdd", binary),
    ("QLinearMul", binary),
    ("QLinearConcat", concat),
    ("QLinearWhere", where),
    ("QLinearSoftmax", softmax),
    ("QLinearAveragePool", average_pool),
    ("QLinearGlobalAveragePool", global_average_pool),
    ("QLinearConv", conv),
    ("QGemm", gemm),
    ("MatMulIntegerToFloat", matmul_integer_to_float),
    ("DynamicQuantizeMatMul", dynamic_quantize_matmul),
    ("MatMulNBits", matmul_nbits),
    ("GatherBlockQuantized", gather_block_quantized),
    ("DynamicQuantizeLSTM", dynamic_quantize_lstm),
]]

if __name__ == "__main__":
    sys.exit(main(CASES, __doc__))
