"""Random nodes that gather, scatter, select or count elements."""
import numpy as np

from random_draw import INTS, ML, Node, rows


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
        attributes["reduction"] = d.pick(["add", "mul"] + (["max", "min"] if d.opset >= 18 else []))
    return Node(op, [x, d.constant(index), d.value(shape=wanted)], attributes)


def scatter_nd(d, op):
    x = d.value(rank=(1, 2, 3))
    shape = d.data(x).shape
    count = d.int(0, shape[0])
    index = d.rng.permutation(shape[0])[:count].reshape(count, 1).astype(np.int64)
    return Node(op, [x, d.constant(index), d.value(shape=(count,) + shape[1:])],
                {"reduction": d.pick(["add", "mul"] + (["max", "min"] if d.opset >= 18 else []))} if d.chance(0.5) else {})


def scatter(d, op):
    node = scatter_elements(d, op)
    return Node(op, node.inputs, {"axis": node.attributes["axis"]})


def tensor_scatter(d, op):
    batch, heads, most, size = d.int(1, 3), d.int(1, 2), d.int(2, 5), d.int(1, 3)
    length = d.int(1, most)
    shape = lambda n: (batch, heads, n, size)
    circular = d.chance(0.5)
    inputs = [d.value(shape=shape(most)), d.value(shape=shape(length))]
    if d.chance(0.7):
        inputs.append(d.constant(d.array(np.int64, (batch,), 0, most - 1 if circular else most - length)))
    return Node(op, inputs, {"mode": "circular" if circular else "linear"} | d.optional(axis=d.pick([2, -2])))


def array_feature(d, op):
    x = d.value(d.pick((np.float32, np.int64, np.int32, np.float64)), rank=(1, 2, 3))
    return Node(op, [x, d.constant(d.array(np.int64, (d.int(1, 4),), 0, d.data(x).shape[-1] - 1))], domain=ML)


def one_hot(d, op):
    # Before opset 11 negative indices stand for nothing; ONNX Runtime counts them from the end.
    indices = d.value(np.int64, low=-4 if d.opset >= 11 else 0, rank=(0, 1, 2))
    depth = d.int(1, 6)
    return Node(op, [indices, d.constant(np.array(depth, np.int64)), d.constant(d.array(np.float32, (2,)))],
                {"axis": d.axis(d.data(indices).ndim + 1)})


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


TABLE = [
    *rows("Gather", gather, exact=True, special=True), *rows("GatherElements", gather_elements, exact=True, special=True),
    *rows("GatherND", gather_nd, exact=True, special=True), *rows("ScatterElements", scatter_elements),
    *rows("ScatterND", scatter_nd), *rows("Scatter", scatter), *rows("TensorScatter", tensor_scatter),
    *rows("OneHot", one_hot, exact=True), *rows("Compress", compress, exact=True, special=True),
    *rows("ReverseSequence", reverse_sequence, exact=True, special=True), *rows("NonZero", non_zero, exact=True, steps=True),
    *rows("Unique", unique, exact=True, steps=True), *rows("NonMaxSuppression", non_max_suppression, exact=True),
    *rows("ArrayFeatureExtractor", array_feature, exact=True, domain=ML),
]
