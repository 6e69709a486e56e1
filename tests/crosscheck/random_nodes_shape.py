"""Random nodes that move elements or read shapes."""
import numpy as np

from onnx import numpy_helper

from random_draw import INTS, Node, rows


def reshape(d, op):
    x = d.value(d.dtype())
    size = d.data(x).size
    shape = []
    while size > 1 and d.chance(0.8):
        divisors = [k for k in range(1, size + 1) if size % k == 0]
        shape.append(d.pick(divisors))
        size //= shape[-1]
    shape.append(size)
    if d.data(x).size and d.chance(0.5):
        shape[d.int(0, len(shape) - 1)] = -1
    return Node(op, [x, d.constant(np.array(shape, np.int64))])


def transpose(d, op):
    x = d.value(d.dtype())
    rank = d.data(x).ndim
    return Node(op, [x], {"perm": [int(i) for i in d.rng.permutation(rank)]} if rank and d.chance(0.8) else {})


def flatten(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3, 4))
    rank = d.data(x).ndim
    return Node(op, [x], {"axis": d.int(-rank if d.opset >= 11 else 0, rank)})


def concat(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3, 4))
    shape, dtype = list(d.data(x).shape), d.data(x).dtype
    axis = d.axis(len(shape))
    inputs = [x]
    for _ in range(d.int(0, 2)):
        shape[axis] = d.extent(4)
        inputs.append(d.value(dtype, shape=tuple(shape)))
    return Node(op, inputs, {"axis": axis})


def split(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3))
    axis = d.axis(d.data(x).ndim)
    extent = d.data(x).shape[axis]
    parts = d.int(1, min(3, extent))
    if d.chance(0.5):
        if d.opset < 18:  # equal parts
            parts = d.pick([k for k in range(1, extent + 1) if extent % k == 0])
        return Node(op, [x], {"axis": axis, "num_outputs": parts}, outputs=parts)
    cuts = sorted(d.int(0, extent) for _ in range(parts - 1))
    sizes = np.diff([0] + cuts + [extent]).astype(np.int64)
    if d.opset < 13:
        return Node(op, [x], {"axis": axis, "split": [int(s) for s in sizes]}, outputs=parts)
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
    if d.opset < 10:
        return Node(op, [x], {"starts": starts, "ends": [d.int(-7, 7) for _ in axes], "axes": [a % rank for a in axes]})
    ends = np.clip(ends, np.iinfo(kind).min, np.iinfo(kind).max)
    return Node(op, [x] + [d.constant(np.array(v, kind)) for v in (starts, ends, axes, steps)])


def pad(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3, 4))
    shape = d.data(x).shape
    mode = d.pick(["constant", "reflect", "edge"] + (["wrap"] if d.opset >= 19 else []))
    low = -1 if mode == "constant" and min(shape) > 2 else 0
    most = {"reflect": min(shape) - 1, "wrap": min(shape)}.get(mode, 3)
    axes = d.axes(len(shape)) if d.opset >= 18 and d.chance(0.4) else []
    pads = [d.int(low, max(0, min(3, most))) for _ in range(2 * len(axes or shape))]
    if d.opset < 11:
        return Node(op, [x], {"mode": mode, "pads": pads} | d.optional(value=1.5))
    inputs = [x, d.ints(*pads), d.constant(d.array(d.data(x).dtype, ())) if mode == "constant" and d.chance(0.6) else ""]
    if axes:
        inputs.append(d.ints(*axes))
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
    backwards = len(shape) if d.opset >= 11 and d.chance(0.3) else 0
    ones = [i - backwards for i, s in enumerate(shape) if s == 1]
    if ones and d.chance(0.7):
        if d.opset < 13:
            return Node(op, [x], {"axes": ones})
        return Node(op, [x, d.constant(np.array(ones, np.int64))])
    return Node(op, [x])


def unsqueeze(d, op):
    x = d.value(d.dtype(), rank=(0, 1, 2))
    rank = d.data(x).ndim
    count = d.int(1, 2)
    axes = [int(a) for a in d.rng.permutation(rank + count)[:count]]
    axes = [a - rank - count if d.opset >= 11 and d.chance(0.3) else a for a in axes]
    if d.opset < 13:
        return Node(op, [x], {"axes": axes})
    return Node(op, [x, d.ints(*axes)])


def depth_space(d, op):
    b = d.int(1, 3)
    if op == "DepthToSpace":
        x = d.value(shape=(d.int(1, 2), b * b * d.int(1, 3), d.int(1, 3), d.int(1, 3)))
        return Node(op, [x], {"blocksize": b, "mode": d.pick(["DCR", "CRD"])})
    return Node(op, [d.value(shape=(d.int(1, 2), d.int(1, 3), b * d.int(1, 3), b * d.int(1, 3)))], {"blocksize": b})


def shape_(d, op):
    x = d.value(d.dtype())
    return Node(op, [x], {k: d.int(-4, 4) for k in ("start", "end") if d.chance(0.4)})


def size_(d, op):
    return Node(op, [d.value(d.dtype())])


def trilu(d, op):
    x = d.value(d.pick((np.float32, np.int64)), rank=(2, 3))
    return Node(op, [x] + ([d.constant(np.array(d.int(-3, 3), np.int64))] if d.chance(0.7) else []), {"upper": d.int(0, 1)})


def range_(d, op):
    dtype = d.pick((np.float32, np.int32, np.int64))
    return Node(op, [d.constant(np.array(v, dtype)) for v in (d.int(-3, 3), d.int(-3, 9), d.pick([1, 2, -1]))])


def constant_of_shape(d, op):
    shape = d.constant(np.array(d.shape(0, 3), np.int64))
    kind = d.pick((np.float32, np.float64, np.float16, np.int32, np.int64, np.uint8, np.bool_))
    return Node(op, [shape], {"value": numpy_helper.from_array(d.array(kind, (1,)))} if d.chance(0.8) else {})


def eye_like(d, op):
    x = d.value(d.dtype(0.5), rank=(2,))
    return Node(op, [x], d.optional(k=d.int(-3, 3), dtype=d.pick([1, 6, 7, 11, 12, 13])))


def constant(d, op):
    kind = d.pick(["value", "value_float", "value_floats", "value_int", "value_ints"])
    values = {"value": numpy_helper.from_array(d.array(d.dtype(), d.shape(0, 3))), "value_float": 1.5, "value_int": d.int(-9, 9),
              "value_floats": [0.5, -2.0], "value_ints": [d.int(-9, 9) for _ in range(d.int(1, 3))]}
    return Node(op, [], {kind: values[kind]})


def center_crop_pad(d, op):
    x = d.value(d.dtype(), rank=(1, 2, 3))
    rank = d.data(x).ndim
    axes = d.axes(rank)
    attributes = {"axes": axes} if axes else {}
    return Node(op, [x, d.ints(*[d.int(1, 7) for _ in (axes or range(rank))])], attributes)


ANY = {"exact": True, "special": True, "empty": True}
TABLE = [
    *rows("Reshape", reshape, **ANY), *rows("Transpose", transpose, **ANY), *rows("Flatten", flatten, **ANY),
    *rows("Concat", concat, **ANY), *rows("Split", split, exact=True, special=True), *rows("Slice", slice_, **ANY),
    *rows("Pad", pad, exact=True, special=True), *rows("Tile", tile, **ANY), *rows("Expand", expand, **ANY),
    *rows("Squeeze", squeeze, **ANY), *rows("Unsqueeze", unsqueeze, **ANY),
    *rows("DepthToSpace SpaceToDepth", depth_space, exact=True, special=True), *rows("Shape", shape_, **ANY),
    *rows("Size", size_, **ANY), *rows("Trilu", trilu, **ANY), *rows("Range", range_, exact=True),
    *rows("ConstantOfShape", constant_of_shape, **ANY), *rows("EyeLike", eye_like, **ANY), *rows("Constant", constant, exact=True),
    *rows("CenterCropPad", center_crop_pad, exact=True, special=True),
]
