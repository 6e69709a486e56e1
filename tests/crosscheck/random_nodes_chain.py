"""Random chains that accelerated kernels fuse: products with what follows them, and quantized forms of them."""
import numpy as np

from random_draw import Node, Row
from random_nodes_window import window


def numbers(d):
    """Chooses the chain's floating type d.real, and the type of quantized weights or none."""
    d.real, kind = d.pick([(np.float32, None)] * 3 + [(np.float16, None), (np.float32, np.int8), (np.float32, np.int8)])
    return kind if d.opset >= 10 else None


def channels(d, count, rank, low=-4, high=4):
    """A constant of one number per channel (axis 1), or of one."""
    shape = d.pick([(), (1, count) + (1,) * (rank - 2)])
    return d.add_constant(d.array(d.real, shape, low, high))


def batch_normalization(d, x, shape):
    vectors = [d.array(d.real, shape[1:2]) for _ in range(3)] + [d.array(d.real, shape[1:2], 1, 4)]
    return d.node("BatchNormalization", [x] + [d.add_constant(v) for v in vectors])


def affine(d, x, shape):
    inputs = [x, channels(d, shape[1], len(shape), 1 if d.chance(0.3) else -4)]
    return d.node(d.pick(["Add", "Mul", "Sub"]), inputs if d.chance(0.7) else inputs[::-1])


def divided(d, x, shape):
    return d.node("Div", [x, channels(d, shape[1], len(shape), 1, 4)])


def residual(d, x, shape):
    other = d.value(d.real, shape=shape)
    return d.node(d.pick(["Add", "Add", "Mul", "Sub", "Max"]), [x, other] if d.chance(0.6) else [other, x])


def activation(d, x, shape):
    op = d.pick(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSigmoid", "Softplus", "Abs", "Neg"] + (["HardSwish"] if d.opset >= 14 else []))
    return d.node(op, [x])


def clip(d, x, shape):
    low, high = d.int(-3, 0), d.int(1, 6)
    if d.opset < 11:
        return d.node("Clip", [x], min=float(low), max=float(high))
    bounds = [d.add_constant(np.array(v, d.real)) for v in (low, high)]
    return d.node("Clip", [x] + d.pick([bounds, bounds[:1], ["", bounds[1]]]))


def swish(d, x, shape):
    return d.node("Mul", [x, d.node("Sigmoid", [x])])


def prelu(d, x, shape):
    return d.node("PRelu", [x, d.add_constant(d.array(d.real, (shape[1],) + (1,) * (len(shape) - 2)))])


def quantized(d, x, shape, scale=0.5):
    """Through QuantizeLinear and DequantizeLinear with one scale."""
    kind = d.pick((np.uint8, np.int8))
    q = [d.add_constant(np.array(scale, np.float32)), d.add_constant(np.array(d.int(0, 9), kind))]
    return d.node("DequantizeLinear", [d.node("QuantizeLinear", [x] + q)] + q)


def rectified(d, x, shape):
    return d.node(d.pick(["Relu", "Neg", "Abs"]), [x])


# Quantizing again is discontinuous, so only steps without rounding come before it.
EXACT = [affine, affine, residual, rectified, clip, prelu]
STEPS = EXACT + [divided, activation, activation, swish, batch_normalization]


def followed(d, x, shape, again=False):
    steps = EXACT if again else STEPS
    for _ in range(d.int(1, 4)):
        x = d.pick(steps)(d, x, shape)
    if again:
        x = quantized(d, x, shape)
    return Node("Identity", [x], types=[d.real])


def weight(d, array, kind=None, axis=0):
    """A constant, or one that is dequantized per channel or as a whole."""
    if kind is None:
        return d.add_constant(array.astype(d.real))
    scale = np.full(d.pick([(), (array.shape[axis],)]) if d.opset >= 13 else (), d.pick([0.25, 0.5]), np.float32)
    inputs = [d.add_constant(array.astype(kind)), d.add_constant(scale), d.add_constant(np.zeros(scale.shape, kind))]
    return d.node("DequantizeLinear", inputs, **({"axis": axis} if scale.ndim else {}))


def conv(d, op):
    attributes, extents = window(d, d.pick([1, 2, 2, 2, 3]))
    rank = len(extents)
    kind = numbers(d)
    group, per_in, per_out = d.pick([1, 1, 2, 4, 8]), d.pick([1, 1, 3, 8]), d.pick([1, 2, 8])
    x = d.value(d.real, shape=(d.int(1, 2), group * per_in) + extents)
    source = quantized(d, x, None) if kind else x
    w = d.array(np.int8 if kind else np.float32, (group * per_out, per_in, *attributes["kernel_shape"]))
    inputs = [source, weight(d, w, kind)]
    if d.chance(0.5):
        inputs.append(d.add_constant(d.array(d.real, (group * per_out,))))
    y = d.node("Conv", inputs, group=group, **attributes)
    return followed(d, y, shape_of(d, x, w.shape, attributes, rank), again=kind and d.chance(0.6))


def shape_of(d, x, w, attributes, rank):
    """Of a convolution's output."""
    extents, kernel = d.data(x).shape[2:], w[2:]
    strides, dilations = attributes.get("strides", [1] * rank), attributes.get("dilations", [1] * rank)
    pads = attributes.get("pads", [0] * 2 * rank)
    if attributes.get("auto_pad", "VALID") != "VALID":
        out = [-(-e // s) for e, s in zip(extents, strides)]
    else:
        out = [(extents[i] + pads[i] + pads[i + rank] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(rank)]
    return (d.data(x).shape[0], w[0], *out)


def product(d, op):
    """Gemm, or MatMul with an Add as bias."""
    m, k, n = d.extent(7), d.extent(10), d.extent(10)
    kind = numbers(d)
    x = d.value(d.real, shape=(m, k))
    source = quantized(d, x, None) if kind else x
    transposed = op == "Gemm" and d.chance(0.5)
    w = d.array(np.int8 if kind else np.float32, (n, k) if transposed else (k, n))
    bias = d.add_constant(d.array(d.real, (n,)))
    if op == "Gemm":
        y = d.node("Gemm", [source, weight(d, w, kind, 0 if transposed else 1), bias], transB=int(transposed))
    else:
        y = d.node("MatMul", [source, weight(d, w, kind, 1)])
        y = d.node("Add", [y, bias]) if d.chance(0.7) else y
    return followed(d, y, (m, n), again=kind and d.chance(0.6))


def elementwise(d, op):
    """Operators between DequantizeLinear and QuantizeLinear."""
    d.real = np.float32
    shape = d.shape(2, 4, 5)
    x = quantized(d, d.value(shape=shape), shape)
    for _ in range(d.int(0, 2)):
        x = quantized(d, d.pick(EXACT)(d, x, shape), shape)
    return followed(d, x, shape, again=True)


TABLE = [Row("Conv", conv, steps=True), Row("Conv", conv, steps=True), Row("Gemm", product, steps=True), Row("MatMul", product, steps=True),
         Row("QuantizeLinear", elementwise, steps=True)]
