"""Random nodes computed element by element."""
import numpy as np
from onnx import TensorProto

from random_draw import FLOATS, INTS, Node, rows


def unary(d, op, dtype=None, low=-4, high=4):
    return Node(op, [d.value(dtype or d.float_dtype(), low=low, high=high)])


def unary_any(d, op):
    return Node(op, [d.value(d.dtype())])


def unary_positive(d, op):
    return unary(d, op, low=1)


def unary_unit(d, op):
    x = d.add_input((d.array(np.float32, d.shape()) / 4.5).astype(np.float32))
    return Node(op, [x])


def unary_bool(d, op):
    return Node(op, [d.value(np.bool_)])


def unary_bits(d, op):
    return Node(op, [d.value(d.pick((np.int32, np.int64, np.uint8, np.int8)))])


def unary_alpha(d, op):
    names = {"Elu": ["alpha"], "LeakyRelu": ["alpha"], "ThresholdedRelu": ["alpha"], "Celu": ["alpha"],
             "Selu": ["alpha", "gamma"], "HardSigmoid": ["alpha", "beta"], "Shrink": ["lambd", "bias"],
             "Swish": ["alpha"]}[op]
    return Node(op, [d.value()], {n: d.int(1, 8) / 8 for n in names if d.chance(0.6)})


def gelu(d, op):
    return Node(op, [d.value(d.float_dtype())], d.optional(approximate=d.pick(["none", "tanh"])))


def is_inf(d, op):
    x = d.value(d.pick((np.float32, np.float64)))
    return Node(op, [x], d.optional(detect_positive=d.int(0, 1), detect_negative=d.int(0, 1)))


def any_type(d):
    return d.value(d.dtype(0.5) if d.chance(0.8) else d.pick((np.bool_, np.uint8, np.int8, np.uint32)), low=-4)


def identity(d, op):
    return Node(op, [any_type(d)])


def dropout(d, op):
    x = d.value(d.float_dtype())
    if d.opset < 12:
        # The mask of ONNX Runtime marks what was dropped before opset 12, where the specification leaves it open.
        return Node(op, [x], d.optional(ratio=0.25))
    inputs = [x]
    if d.chance(0.6):
        inputs.append(d.constant(np.array(d.pick([0.0, 0.5]), np.float32)))
        if d.chance(0.5):
            inputs.append(d.constant(np.array(False)))
    return Node(op, inputs, outputs=d.int(1, 2))


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
    if d.special and np.dtype(dtype).kind == "f":
        b = d.array(dtype, b.shape)
    return Node(op, [a, d.constant(-b if d.chance(0.3) else b)])


def modulo(d, op):
    node = divide(d, op)
    kind = d.data(node.inputs[0]).dtype.kind
    node.attributes = {"fmod": 1} if kind == "f" or d.chance(0.3) else {}
    return node


def power(d, op):
    a = d.value(d.pick([d.float_dtype(), d.float_dtype(), np.int32]), low=1)
    dtype = d.data(a).dtype if d.chance(0.7) or d.opset < 12 else d.pick(INTS)
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


KINDS = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64,
         12: np.uint32, 13: np.uint64, 4: np.uint16, 5: np.int16}


def cast(d, op):
    target = d.pick(list(KINDS))
    source = d.pick(list(KINDS.values()))
    return Node(op, [d.value(source, low=0 if np.dtype(KINDS[target]).kind == "u" else -4, reuse=0.2)], {"to": target})


def cast_float(d, op):
    return Node(op, [d.value(d.pick(FLOATS))], {"to": d.pick([1, 9, 10, 11])})


def cast_small(d, op):
    """There and back through a type that feeds cannot have."""
    kinds = [TensorProto.BFLOAT16] * 2 + ([TensorProto.FLOAT8E4M3FN, TensorProto.FLOAT8E5M2] if d.opset >= 19 else []) \
        + ([TensorProto.INT4, TensorProto.UINT4] if d.opset >= 21 else [])
    kind = d.pick(kinds)
    whole = kind in (TensorProto.INT4, TensorProto.UINT4)
    x = d.value(np.int8 if kind == TensorProto.INT4 else np.uint8 if whole else d.pick((np.float32, np.float16)),
                low=0 if whole else -4)
    return Node(op, [d.node("Cast", [x], to=kind)], {"to": d.pick([1, 3]) if whole else d.pick([1, 10])})


def cast_like(d, op):
    return Node(op, [d.value(d.dtype(0.5)), d.value(d.dtype(0.7))])


def bit_cast(d, op):
    width = d.pick([(np.float32, [1, 6, 12]), (np.int64, [7, 11, 13]), (np.float16, [10, 4, 5]), (np.uint8, [2, 3])])
    return Node(op, [d.value(width[0], low=0)], {"to": d.pick(width[1])})


def clip(d, op):
    x = d.value(d.pick((np.float32, np.int32, np.int64)))
    dtype = d.data(x).dtype
    low, high = (np.asarray(d.int(*r)).astype(dtype) for r in ((-3, 0), (1, 3)))
    if d.opset < 11:
        return Node(op, [x], d.optional(0.7, min=float(low), max=float(high)))
    return Node(op, [x, d.constant(low) if d.chance(0.8) else ""] + ([d.constant(high)] if d.chance(0.8) else []))


ANY = {"exact": True, "special": True, "empty": True}
TABLE = [
    *rows("Abs Neg Relu", unary_any, **ANY), *rows("Sign", unary_any, exact=True, steps=True, empty=True),  # of NaN, 0 in ONNX Runtime's float16
    *rows("Ceil Floor Round IsNaN", unary, steps=True, **ANY),
    *rows("Exp Tanh Sigmoid Erf Softsign Atan HardSwish", unary, special=True, empty=True),
    *rows("Sin Cos Tan Sinh Cosh Asinh Softplus Mish", unary, empty=True), *rows("Gelu", gelu, empty=True),
    *rows("Sqrt Log Reciprocal Acosh", unary_positive, special=True), *rows("Asin Acos Atanh", unary_unit),
    *rows("Elu LeakyRelu Selu Celu ThresholdedRelu HardSigmoid Shrink Swish", unary_alpha, steps=True, special=True, empty=True),
    *rows("Identity", identity, **ANY), *rows("Dropout", dropout, **ANY), *rows("IsInf", is_inf, steps=True, **ANY),
    *rows("Add Sub Mul", binary, **ANY), *rows("Div", divide, special=True, empty=True), *rows("Mod", modulo, steps=True, empty=True),
    *rows("Pow", power, empty=True), *rows("PRelu", prelu, special=True, empty=True),
    *rows("Sum Max Min", variadic, special=True, empty=True), *rows("Mean", variadic, empty=True),  # where sums overflow is open
    *rows("Equal Less Greater LessOrEqual GreaterOrEqual", compare, steps=True, **ANY),
    *rows("And Or Xor", logic, exact=True, empty=True), *rows("Not", unary_bool, exact=True, empty=True),
    *rows("BitwiseAnd BitwiseOr BitwiseXor", bitwise, exact=True, empty=True), *rows("BitwiseNot", unary_bits, exact=True, empty=True),
    *rows("BitShift", shift, exact=True, empty=True), *rows("Where", where, **ANY),
    *rows("Cast", cast, steps=True), *rows("Cast", cast_float, steps=True, **ANY), *rows("Cast", cast_small, steps=True, special=True),
     *rows("CastLike", cast_like, steps=True),
    *rows("BitCast", bit_cast, exact=True, steps=True), *rows("Clip", clip, **ANY),
]
