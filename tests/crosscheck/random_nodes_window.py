"""Random convolutions, pools, normalizations and recurrences."""
import numpy as np

from random_draw import Node, rows


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
    extents = tuple((k - 1) * s + 1 + d.int(0, 4 if spatial > 2 or not d.wide else 20) for k, s in zip(kernel, dilations))
    return attributes, extents


def float_type(d):
    return d.pick([np.float32, np.float32, np.float32, np.float16])


def conv(d, op):
    spatial = d.pick([1, 2, 2, 2, 3])
    attributes, extents = window(d, spatial)
    group, per_in, per_out = d.pick([1, 1, 2, 3, 8]), d.pick([1, 2, 3]), d.pick([1, 2, 4])
    x = (d.int(1, 2), group * per_in) + extents
    w = (group * per_out, per_in) + tuple(attributes["kernel_shape"])
    dtype = float_type(d)
    inputs = [d.value(dtype, shape=x), d.constant(d.array(dtype, w))]
    if d.chance(0.5):
        inputs.append(d.constant(d.array(dtype, (group * per_out,))))
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
    dtype = float_type(d)
    inputs = [d.value(dtype, shape=x), d.constant(d.array(dtype, (group * per_in, per_out, *kernel)))]
    if d.chance(0.5):
        inputs.append(d.constant(d.array(dtype, (group * per_out,))))
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
    x = d.value(d.pick([np.float32, np.float16, np.float64, np.int8]) if op == "MaxPool" else float_type(d),
                shape=(d.int(1, 2), d.int(1, 3)) + extents)
    if op == "MaxPool" and d.chance(0.3):
        return Node(op, [x], attributes | d.optional(storage_order=1), outputs=2)
    return Node(op, [x], attributes)


def max_unpool(d, op):
    kernel = [d.int(1, 3) for _ in range(2)]
    x = d.value(shape=(d.int(1, 2), d.int(1, 3), *(k * d.int(1, 3) for k in kernel)))
    attributes = {"kernel_shape": kernel, "strides": kernel}
    values, where = d.node("MaxPool", [x], outputs=2, **attributes)
    inputs = [values, where]
    if d.chance(0.4):
        inputs.append(d.ints(*d.data(x).shape))
    return Node(op, inputs, attributes, types=[np.float32])


def global_pool(d, op):
    x = d.value(float_type(d), rank=(3, 4, 5))
    return Node(op, [x])


def batch_normalization(d, op):
    dtype = d.float_dtype()
    x = d.value(dtype, rank=(2, 3, 4))
    channels = d.data(x).shape[1]
    vectors = [d.array(dtype, (channels,)) for _ in range(3)] + [d.array(dtype, (channels,), 1, 4)]
    return Node(op, [x] + [d.constant(v) for v in vectors], {"epsilon": 1e-3} if d.chance(0.5) else {})


def instance_normalization(d, op):
    dtype = float_type(d)
    x = d.value(dtype, shape=(d.int(1, 2), d.int(1, 4)) + tuple(d.int(2, 6) for _ in range(d.int(1, 3))))
    channels = d.data(x).shape[1]
    return Node(op, [x, d.constant(d.array(dtype, (channels,))), d.constant(d.array(dtype, (channels,)))])


def group_normalization(d, op):
    groups = d.int(1, 3)
    channels = groups * d.int(1, 3)
    dtype = float_type(d)
    x = d.value(dtype, shape=(d.int(1, 2), channels, d.int(2, 5), d.int(2, 5)))
    return Node(op, [x, d.constant(d.array(dtype, (channels,))), d.constant(d.array(dtype, (channels,)))],
                {"num_groups": groups})


def layer_normalization(d, op):
    dtype = d.float_dtype()
    x = d.value(dtype, shape=tuple(d.int(2, 6) for _ in range(d.int(2, 4))))
    shape = d.data(x).shape
    axis = d.axis(len(shape))
    tail = shape[axis:]
    inputs = [x, d.constant(d.array(dtype, tail))]
    if d.chance(0.5):
        inputs.append(d.constant(d.array(dtype, tail)))
    return Node(op, inputs, {"axis": axis, "epsilon": 1e-2}, outputs=d.pick([1, 1, 3]))


def lrn(d, op):
    x = d.value(rank=(4,))
    return Node(op, [x], {"size": d.pick([1, 3, 5]), "alpha": d.int(1, 8) / 16, "bias": d.int(1, 4) / 2})


def rms_normalization(d, op):
    dtype = d.float_dtype()
    x = d.value(dtype, shape=tuple(d.int(2, 6) for _ in range(d.int(2, 4))))
    shape = d.data(x).shape
    axis = d.axis(len(shape))
    return Node(op, [x, d.constant(d.array(dtype, shape[axis:]))], {"axis": axis, "epsilon": 1e-2})


def recurrent(d, op):
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[op]
    length, batch, inputs, hidden = d.int(1, 4), d.int(1, 3), d.extent(4), d.extent(4)
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
    # The threshold bounds what goes into activations; ONNX Runtime passes over the cell state of an LSTM,
    # which stays below 1.5 for one step.
    if (op != "LSTM" or length == 1) and d.chance(0.2):
        attributes["clip"] = 1.5
    if d.chance(0.3):
        known = {"RNN": ["Tanh", "Relu", "Sigmoid"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[op]
        attributes["activations"] = [d.pick(["Tanh", "Relu", "Sigmoid"]) if op == "RNN" else a for a in known[:1 if op == "RNN" else 3]] * count
    return Node(op, operands, attributes, outputs=3 if op == "LSTM" else 2)


TABLE = [
    *rows("Conv", conv), *rows("ConvTranspose", conv_transpose), *rows("MaxPool AveragePool LpPool", pool),
    *rows("MaxUnpool", max_unpool), *rows("GlobalAveragePool GlobalMaxPool GlobalLpPool", global_pool),
    *rows("BatchNormalization", batch_normalization), *rows("InstanceNormalization", instance_normalization),
    *rows("GroupNormalization", group_normalization), *rows("LayerNormalization", layer_normalization),
    *rows("RMSNormalization", rms_normalization), *rows("LRN", lrn), *rows("RNN GRU LSTM", recurrent),
]
