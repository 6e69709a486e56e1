"""Random quantization and integer arithmetic."""
import ml_dtypes
import numpy as np

from random_draw import MICROSOFT, Node, rows
from random_nodes_window import window


def quantize(d, op):
    if d.opset >= 21 and d.chance(0.3):
        return blocked(d, op)
    x = d.value(rank=(2, 3))
    kind = d.pick((np.uint8, np.int8))
    axis = d.int(0, 1)
    shape = (d.data(x).shape[axis],) if d.chance(0.5) and d.opset >= 13 else ()
    scale = d.pick([0.25, 0.5]) * np.ones(shape, np.float32)
    return Node(op, [x, d.constant(scale), d.constant(d.array(kind, shape, 0, 9))], {"axis": axis})


def small_type(d, op):
    """Quantized to a type that outputs cannot have, and back."""
    x = d.value(rank=(2, 3))
    kinds = [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2] + ([ml_dtypes.int4, ml_dtypes.uint4] if d.opset >= 21 else [])
    kind = d.pick(kinds)
    zero = d.add_constant(np.array(d.int(0, 3) if kind in kinds[2:] else 0).astype(kind))
    scale = d.add_constant(np.array(d.pick([0.25, 0.5, 1]), np.float32))
    return Node(op, [d.node("QuantizeLinear", [x, scale, zero]), scale, zero])


def blocked(d, op):
    """One scale for each block along an axis; with it ONNX Runtime's huge numbers become the lowest."""
    d.special = False
    x = d.value(rank=(2, 3), reuse=0)
    shape = list(d.data(x).shape)
    axis = d.int(0, len(shape) - 1)
    block = d.pick([b for b in range(1, shape[axis] + 1) if shape[axis] % b == 0])
    shape[axis] //= block
    scale = d.constant(np.broadcast_to(np.float32(d.pick([0.25, 0.5])), shape).copy())
    return Node(op, [x, scale, d.constant(d.array(d.pick((np.uint8, np.int8)), shape, 0, 9))], {"axis": axis, "block_size": block})


def dequantize(d, op):
    kind = d.pick((np.uint8, np.int8, np.int32))
    x = d.value(kind, rank=(2, 3), low=0)
    axis = d.int(0, 1)
    shape = (d.data(x).shape[axis],) if d.chance(0.5) and d.opset >= 13 else ()
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


def conv_integer(d, op):
    attributes, extents = window(d, d.int(1, 2))
    group, per_in, per_out = d.pick([1, 1, 2]), d.pick([1, 2]), d.pick([1, 2])
    kinds = d.pick([(np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)])
    inputs = [d.value(kinds[0], shape=(d.int(1, 2), group * per_in) + extents, low=0),
              d.constant(d.array(kinds[1], (group * per_out, per_in, *attributes["kernel_shape"])))]
    if d.chance(0.6):
        inputs.append(d.constant(np.array(d.int(0, 4), kinds[0])))
        if d.chance(0.5):
            inputs.append(d.constant(np.array(d.int(0, 4), kinds[1])))
    return Node(op, inputs, attributes | {"group": group})


def qlinear_binary(d, op):
    kind = d.pick((np.uint8, np.int8))
    a = d.value(kind, low=0, high=40)
    b = d.value(kind, shape=d.broadcastable(d.data(a).shape), low=0, high=40)
    one = lambda v: d.add_constant(np.array(v, np.float32))
    zero = lambda: d.add_constant(np.array(d.int(0, 4), kind))
    return Node(op, [a, one(0.5), zero(), b, one(0.25), zero(), one(0.5), zero()], domain=MICROSOFT, types=[kind])


def quantize_contrib(d, op):
    node = (quantize if op == "QuantizeLinear" else dequantize)(d, op)
    node.attributes.pop("block_size", None)
    node.domain = MICROSOFT
    node.types = [d.data(node.inputs[2]).dtype if op == "QuantizeLinear" else np.float32]
    return node


def matmul_to_float(d, op):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    a, b = d.pick([(np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)])
    inputs = [d.value(a, shape=d.shape(0, 2, 3) + (m, k), low=0), d.value(b, shape=(k, n), low=0),
              d.constant(np.array(0.5, np.float32)), d.constant(d.array(np.float32, d.pick([(), (n,)]), 1, 2)),
              d.constant(np.array(d.int(0, 4), a)) if d.chance(0.5) else "", d.constant(np.array(d.int(0, 4), b)) if d.chance(0.5) else "",
              d.constant(d.array(np.float32, (n,))) if d.chance(0.4) else ""]
    return Node(op, inputs, domain=MICROSOFT, types=[np.float32])


def dynamic_matmul(d, op):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    kind = d.pick((np.uint8, np.int8))
    inputs = [d.value(shape=d.shape(0, 2, 3) + (m, k)), d.constant(d.array(kind, (k, n))),
              d.constant(d.array(np.float32, d.pick([(), (n,)]), 1, 2)), d.constant(np.array(d.int(0, 4), kind)) if d.chance(0.5) else "",
              d.constant(d.array(np.float32, (n,))) if d.chance(0.4) else ""]
    return Node(op, inputs, domain=MICROSOFT, types=[np.float32])


def q_gemm(d, op):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    a, b = d.pick([(np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)])
    ta, tb = d.int(0, 1), d.int(0, 1)
    one = lambda v: d.add_constant(np.array(v, np.float32))
    zero = lambda t: d.add_constant(np.array(d.int(0, 4), t))
    inputs = [d.value(a, shape=(k, m) if ta else (m, k), low=0), one(0.5), zero(a), d.value(b, shape=(n, k) if tb else (k, n), low=0),
              one(0.25), zero(b), d.constant(d.array(np.int32, (n,))) if d.chance(0.5) else ""]
    to_float = d.chance(0.4)
    inputs += [] if to_float else [one(0.5), zero(a)]
    return Node(op, inputs, {"transA": ta, "transB": tb, "alpha": 1.0}, domain=MICROSOFT, types=[np.float32 if to_float else a])


def qlinear_matmul(d, op):
    m, k, n = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    one = lambda v: d.add_constant(np.array(v, np.float32))
    zero = lambda: d.add_constant(np.array(d.int(0, 4), np.uint8))
    return Node(op, [d.value(np.uint8, shape=(m, k), low=0), one(0.5), zero(), d.value(np.uint8, shape=(k, n), low=0),
                     one(0.25), zero(), one(0.5), zero()])


def qlinear_conv(d, op):
    attributes, extents = window(d, d.int(1, 2))
    group, per_in, per_out = d.pick([1, 1, 2]), d.pick([1, 2]), d.pick([1, 2])
    one = lambda v: d.add_constant(np.array(v, np.float32))
    inputs = [d.value(np.uint8, shape=(1, group * per_in) + extents, low=0), one(0.5), d.add_constant(np.array(d.int(0, 4), np.uint8)),
              d.add_constant(d.array(np.int8, (group * per_out, per_in, *attributes["kernel_shape"]))), one(0.25),
              d.add_constant(np.array(0, np.int8)), one(0.5), d.add_constant(np.array(d.int(0, 9), np.uint8))]
    if d.chance(0.5):
        inputs.append(d.add_constant(d.array(np.int32, (group * per_out,))))
    attributes["group"] = group
    return Node(op, inputs, attributes)


TABLE = [
    *rows("QuantizeLinear", quantize, exact=True, steps=True, special=True), *rows("DequantizeLinear", dequantize),
    *rows("DequantizeLinear", small_type, steps=True), *rows("DynamicQuantizeLinear", dynamic_quantize, steps=True),
    *rows("MatMulInteger", matmul_integer, exact=True), *rows("QLinearMatMul", qlinear_matmul, exact=True),
    *rows("ConvInteger", conv_integer, exact=True), *rows("QLinearConv", qlinear_conv, exact=True),
    *rows("QuantizeLinear DequantizeLinear", quantize_contrib, steps=True, domain=MICROSOFT),
    *rows("QLinearAdd QLinearMul", qlinear_binary, domain=MICROSOFT), *rows("QGemm", q_gemm, domain=MICROSOFT),
    *rows("MatMulIntegerToFloat", matmul_to_float, domain=MICROSOFT),
    *rows("DynamicQuantizeMatMul", dynamic_matmul, steps=True, domain=MICROSOFT),
]
