"""Random nodes with bodies, sequences and optional values; each ends in a tensor."""
import numpy as np
from onnx import TensorProto, helper

from random_draw import Node, rows

ELEMENTS = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64, np.dtype(np.int32): TensorProto.INT32,
            np.dtype(np.bool_): TensorProto.BOOL}


def info(name, dtype, shape=None):
    return helper.make_tensor_value_info(name, ELEMENTS[np.dtype(dtype)], shape)


class Body:
    """A graph that computes with outer values and with its own inputs; names are unique to the node."""

    def __init__(self, d, tag):
        self.d, self.tag, self.nodes = d, f"{d.prefix}{tag}", []

    def add(self, op, *inputs, **attributes):
        name = f"{self.tag}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def step(self, x, other):
        """A value of the shape and type of x (float)."""
        for _ in range(self.d.int(1, 3)):
            if self.d.chance(0.5):
                x = self.add(self.d.pick(["Add", "Sub", "Mul"]), x, other)
            else:
                x = self.add(self.d.pick(["Tanh", "Relu", "Neg", "Abs", "Sigmoid"]), x)
        return x

    def graph(self, inputs, outputs):
        return helper.make_graph(self.nodes, self.tag, inputs, outputs)


def if_(d, op):
    x = d.value(rank=(0, 1, 2, 3))
    other = d.value(shape=d.pick([(), d.data(x).shape]))
    condition = d.constant(np.array(d.chance(0.5)))
    branches = {}
    for branch in ("then_branch", "else_branch"):
        body = Body(d, branch[:4])
        y = body.step(x, other)
        if d.chance(0.3):  # a branch inside the branch
            inner = {k: Body(d, branch[:4] + k[:4]) for k in ("then_branch", "else_branch")}
            graphs = {k: b.graph([], [info(b.step(y, other), np.float32)]) for k, b in inner.items()}
            y = body.add("If", condition, **graphs)
        branches[branch] = body.graph([], [info(y, np.float32)])
    return Node(op, [condition], branches, types=[np.float32])


def loop(d, op):
    """A state, an outer value and a scanned output; stops by count or by condition."""
    x = d.value(rank=(0, 1, 2))
    shape = d.data(x).shape
    other = d.value(shape=d.pick([(), shape]))
    body = Body(d, "loop")
    i, c, s = (f"{body.tag}{k}" for k in ("i", "c", "s"))
    state = body.step(s, other)
    scanned = body.add("Tanh" if d.chance(0.5) else "Identity", d.pick([state, s]))
    going = body.add("Less", i, d.constant(np.array(d.int(0, 4), np.int64))) if d.chance(0.4) else body.add("Identity", c)
    state = body.add("Tanh", state)  # keeps the numbers small
    graph = body.graph([info(i, np.int64, []), info(c, np.bool_, []), info(s, np.float32, shape)],
                       [info(going, np.bool_, []), info(state, np.float32, shape), info(scanned, np.float32, shape)])
    count = d.constant(np.array(d.int(0, 4), np.int64))
    condition = d.constant(np.array(d.chance(0.8))) if d.chance(0.6) else ""
    if not condition:  # the condition that was given is passed on
        condition = d.constant(np.array(True))
    return Node(op, [count, condition, x], {"body": graph}, outputs=2, types=[np.float32, np.float32])


def scan(d, op):
    length, inner = d.int(1, 4), d.shape(0, 2, 3)
    axis = d.int(0, len(inner)) if d.opset >= 9 else 0
    outer = inner[:axis] + (length,) + inner[axis:]
    batch = (d.int(1, 2),) if d.opset < 9 else ()
    state, x = d.value(shape=batch + inner), d.value(shape=batch + outer)
    other = d.value(shape=d.pick([(), inner]))
    body = Body(d, "scan")
    s, e = f"{body.tag}s", f"{body.tag}e"
    total = body.add("Add", body.add("Tanh", s), e)
    out = body.step(total, other)
    graph = body.graph([info(s, np.float32, inner), info(e, np.float32, inner)], [info(total, np.float32, inner), info(out, np.float32, inner)])
    attributes = {"body": graph, "num_scan_inputs": 1}
    if d.opset < 9:
        return Node(op, ["", state, x], attributes | d.optional(directions=[d.int(0, 1)]), outputs=2, types=[np.float32, np.float32])
    # Scan's axes may be negative from opset 11 on.
    attributes |= {"scan_input_axes": [axis - len(outer) if d.opset >= 11 and d.chance(0.3) else axis]}
    attributes |= d.optional(scan_input_directions=[d.int(0, 1)], scan_output_directions=[d.int(0, 1)], scan_output_axes=[d.int(0, len(inner))])
    return Node(op, [state, x], attributes, outputs=2, types=[np.float32, np.float32])


def tensors(d, alike=False):
    """Names of 1 to 3 tensors of one type and rank."""
    first = d.value(rank=(1, 2, 3))
    shape = d.data(first).shape
    return [first] + [d.value(shape=shape if alike else tuple(d.int(1, 4) for _ in shape)) for _ in range(d.int(0, 2))]


def position(d, count):
    return d.constant(np.array(d.int(-count, count - 1), d.pick((np.int32, np.int64))))


def picked(d, sequence, count):
    """One of the sequence's tensors."""
    return Node("SequenceAt", [sequence, position(d, count)], types=[np.float32])


def construct(d, op):
    names = tensors(d)
    return picked(d, d.node("SequenceConstruct", names), len(names))


def insert(d, op):
    names = tensors(d)
    sequence = d.node("SequenceConstruct", names) if d.chance(0.7) else None
    count = len(names)
    if sequence is None:
        sequence, count = d.node("SequenceEmpty", [], dtype=TensorProto.FLOAT), 0
    inputs = [sequence, d.value(rank=(0, 1, 2, 3))]
    if d.chance(0.7):
        inputs.append(d.constant(np.array(d.int(-count, count), np.int64)))
    return picked(d, d.node("SequenceInsert", inputs), count + 1)


def erase(d, op):
    names = tensors(d) + [d.value(rank=(1,))]
    sequence = d.node("SequenceConstruct", names)
    return picked(d, d.node(op, [sequence] + ([position(d, len(names))] if d.chance(0.7) else [])), len(names) - 1)


def sequence_length(d, op):
    return Node(op, [d.node("SequenceConstruct", tensors(d))], types=[np.int64])


def sequence_concat(d, op):
    names = tensors(d, alike=True)
    rank = d.data(names[0]).ndim
    stack = d.int(0, 1)
    return Node(op, [d.node("SequenceConstruct", names)], {"axis": d.int(-rank - stack, rank - 1 + stack), "new_axis": stack}, types=[np.float32])


def split_sequence(d, op):
    x = d.value(rank=(1, 2, 3))
    rank = d.data(x).ndim
    axis = d.int(-rank, rank - 1)
    extent = d.data(x).shape[axis]
    attributes, inputs, count = {"axis": axis, "keepdims": d.int(0, 1)}, [x], extent
    if d.chance(0.6):  # sizes make keepdims void, but not in ONNX Runtime
        attributes.pop("keepdims")
        part = d.int(1, extent)
        sizes = np.array(part, np.int64)
        count = -(-extent // part)
        if d.chance(0.5):
            sizes = np.array([part, extent - part] if part < extent else [extent], np.int64)
            count = len(sizes)
        inputs.append(d.constant(sizes))
    return picked(d, d.node(op, inputs, **attributes), count)


def sequence_map(d, op):
    names = tensors(d)
    body = Body(d, "map")
    x = f"{body.tag}x"
    y = body.step(x, d.value(shape=()))
    graph = body.graph([info(x, np.float32)], [info(y, np.float32)])
    return picked(d, d.node(op, [d.node("SequenceConstruct", names)], body=graph), len(names))


def optional_get(d, op):
    x = d.value()
    return Node("OptionalGetElement", [d.node("Optional", [x])], types=[np.float32])


def optional_has(d, op):
    return Node(op, [d.node("Optional", [d.value()])] if d.chance(0.6) or d.opset < 18 else [d.value()], types=[np.bool_])


TABLE = [
    *rows("If", if_), *rows("Loop", loop), *rows("Scan", scan), *rows("SequenceConstruct SequenceAt", construct, exact=True),
    *rows("SequenceInsert SequenceEmpty", insert, exact=True), *rows("SequenceErase", erase, exact=True),
    *rows("SequenceLength", sequence_length, exact=True), *rows("ConcatFromSequence", sequence_concat, exact=True),
    *rows("SplitToSequence", split_sequence, exact=True), *rows("SequenceMap", sequence_map),
    *rows("Optional OptionalGetElement", optional_get, exact=True), *rows("OptionalHasElement", optional_has, exact=True),
]
