"""Random reductions, scans along an axis, selections of the largest, and matrix products."""
import numpy as np

from random_draw import INTS, Node, rows


def reduce(d, op):
    # Of integers, how roots, logarithms and means are rounded and where products overflow is open.
    whole = op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare") and d.chance(0.3)
    x = d.value(d.pick(INTS) if whole else d.float_dtype(), rank=(0, 1, 2, 3, 4), low=1 if op.startswith("ReduceLog") else -4)
    rank = d.data(x).ndim
    attributes = {"keepdims": d.int(0, 1)} if d.chance(0.7) else {}
    axes = d.axes(rank)
    if d.opset < (13 if op == "ReduceSum" else 18):
        return Node(op, [x], attributes | ({"axes": axes} if axes and d.chance(0.8) else {}))
    inputs = [x]
    if d.chance(0.75):
        inputs.append(d.constant(np.array(axes, np.int64)))
    if d.chance(0.3):
        attributes["noop_with_empty_axes"] = d.int(0, 1)
    return Node(op, inputs, attributes)


def arg(d, op):
    x = d.value(d.pick((np.float32, np.int32)), rank=(1, 2, 3, 4))
    return Node(op, [x], {"axis": d.axis(d.data(x).ndim), "keepdims": d.int(0, 1), "select_last_index": d.int(0, 1)})


def axis_op(d, op):
    x = d.value(d.float_dtype(), rank=(1, 2, 3, 4))
    rank = d.data(x).ndim
    # The default axis is 1 before opset 13.
    return Node(op, [x], {"axis": d.axis(rank)} if d.chance(0.8) or rank == 1 else {})


def lp_normalization(d, op):
    x = d.value(rank=(1, 2, 3, 4), low=1)
    return Node(op, [x], {"axis": d.axis(d.data(x).ndim), "p": d.int(1, 2)})


def cumulative(d, op):
    x = d.value(d.pick((np.float32, np.int32)), rank=(1, 2, 3))
    return Node(op, [x, d.constant(np.array(d.axis(d.data(x).ndim), d.pick(INTS)))],
                {"exclusive": d.int(0, 1), "reverse": d.int(0, 1)})


def mean_variance(d, op):
    # ONNX Runtime's variance of equal elements may be negative: many are drawn, along two axes at least.
    x = d.value(shape=tuple(d.int(3, 5) for _ in range(4)), reuse=0)
    axes = d.axes(4)
    return Node(op, [x], {"axes": axes} if len(axes) > 1 else {})


def matmul(d, op):
    m, k, n = d.extent(), d.int(1, 5), d.extent()  # of no terms ONNX Runtime leaves some sums unset
    batch = tuple(d.int(1, 3) for _ in range(d.int(0, 2)))  # ONNX Runtime broadcasts 1 against 0 to 1
    a = d.broadcastable(batch) + (m, k) if d.chance(0.9) else (k,)
    b = batch + (k, n) if d.chance(0.9) else (k,)
    dtype = d.pick([np.float32, np.float32, np.float64, np.int32, np.int64])
    return Node(op, [d.value(dtype, shape=a), d.value(dtype, shape=b)])


def gemm(d, op):
    m, k, n = d.extent(6), d.int(1, 6), d.extent(6)
    ta, tb = d.int(0, 1), d.int(0, 1)
    dtype = d.pick([np.float32, np.float32, np.float64, np.float16])
    inputs = [d.value(dtype, shape=(k, m) if ta else (m, k)), d.value(dtype, shape=(n, k) if tb else (k, n))]
    if d.opset < 11 or d.chance(0.7):
        inputs.append(d.value(dtype, shape=d.pick([(m, n), (n,), (1, n), (m, 1), (1,), ()])))
    return Node(op, inputs, {"transA": ta, "transB": tb, "alpha": d.int(1, 8) / 4, "beta": d.int(0, 8) / 4})


def einsum(d, op):
    sizes = {c: d.int(1, 4) for c in "bijk"}
    equation = d.pick(["ij,jk->ik", "bij,bjk->bik", "ij->ji", "bij->b", "ii->i", "ij,ij->", "bij,k->bk", "i,j->ij",
                       "...ij->...ji", "bij,bjk,k->bi", "ij", "ij,jk", "bij->", "...i,...i->..."])
    terms = equation.split("->")[0].split(",")
    return Node(op, [d.value(shape=tuple(sizes[c] for c in t.replace("...", "b"))) for t in terms], {"equation": equation})


def det(d, op):
    n = d.int(1, 4)
    return Node(op, [d.value(shape=d.shape(0, 2, 3) + (n, n))])


def topk(d, op):
    shape = d.shape(1, 3)
    size = int(np.prod(shape))
    values = d.rng.permutation(size) if d.chance(0.7) else d.rng.integers(0, 4, size)  # ties: the lower index comes first
    x = d.add_input(values.reshape(shape).astype(d.pick((np.float32, np.int64, np.float64, np.int32))))
    axis = d.axis(len(shape))
    k = d.int(0, shape[axis])
    if d.opset < 10:
        return Node(op, [x], {"axis": axis, "k": max(k, 1)}, outputs=2)
    return Node(op, [x, d.ints(k)], {"axis": axis, "largest": d.int(0, 1)}, outputs=2)


def scores(d):
    """Scores N x C x D1..., labels N x D1..., weights of the classes."""
    batch, classes = d.int(1, 3), d.int(2, 5)
    tail = d.shape(0, 2, 3)
    labels = d.array(d.pick(INTS), (batch, *tail), 0, classes - 1)
    inputs = [d.value(shape=(batch, classes, *tail)), d.constant(labels)]
    if d.chance(0.4):
        inputs.append(d.constant(d.array(np.float32, (classes,), 1, 3)))
    return inputs, {"reduction": d.pick(["none", "sum", "mean"])} | d.optional(0.4, ignore_index=d.int(-1, classes - 1))


def loss(d, op):
    inputs, attributes = scores(d)
    return Node(op, inputs, attributes, outputs=d.int(1, 2) if op == "SoftmaxCrossEntropyLoss" else 1)


TABLE = [
    *rows("ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp",
          reduce),  # of empty tensors ONNX Runtime gives the operand's shape, whatever the axes and keepdims
    *rows("ArgMax ArgMin", arg, exact=True, steps=True), *rows("Softmax LogSoftmax", axis_op, empty=True),
    *rows("Hardmax", axis_op, steps=True), *rows("LpNormalization", lp_normalization),
    *rows("CumSum CumProd", cumulative), *rows("MeanVarianceNormalization", mean_variance),
    *rows("MatMul", matmul, empty=True), *rows("Gemm", gemm, empty=True), *rows("Einsum", einsum), *rows("Det", det),
    *rows("TopK", topk, exact=True, steps=True),
    *rows("NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss", loss),
]
