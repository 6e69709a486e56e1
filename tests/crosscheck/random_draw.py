"""Random choices and operands for the random_nodes_*.py families.

A family function gets a Draw and the operator's name, and returns the Node to try; its operands exist.
Nodes that must run before it (casts to types that feeds cannot have, makers of sequences) are added
with Draw.node. Attributes that the operator does not have at the graph's opset are dropped later.
"""
from dataclasses import dataclass, field

import numpy as np
from onnx import helper

FLOATS = (np.float32, np.float64, np.float16)
INTS = (np.int32, np.int64)
MICROSOFT, ML = "com.microsoft", "ai.onnx.ml"


@dataclass
class Node:
    op: str
    inputs: list                                      # names; "": omitted
    attributes: dict = field(default_factory=dict)    # may hold GraphProtos
    outputs: int = 1
    domain: str = ""
    types: list = None                                # of the outputs, where ONNX cannot infer them; None: omitted


@dataclass
class Row:
    op: str
    family: object
    exact: bool = False    # the result does not depend on order or precision of arithmetic
    steps: bool = False    # discontinuous: takes exact operands only
    special: bool = False  # defined for infinities, NaN, signed zeros, huge and tiny numbers
    empty: bool = False    # operands may have extents of 0
    domain: str = ""


def rows(names, family, **flags):
    return [Row(name, family, **flags) for name in names.split()]


def specials(dtype):
    info = np.finfo(dtype)
    return np.array([0.0, -0.0, np.nan, np.inf, -np.inf, info.max, -info.max, info.tiny, -info.tiny], dtype)


class Draw:
    """Random choices. `pool` holds the values made so far: name -> (array, exact)."""

    def __init__(self, rng, row, opset, pool, add_input, add_constant, prefix):
        self.rng, self.row, self.opset, self.pool = rng, row, opset, pool
        self.add_input, self.add_constant, self.prefix = add_input, add_constant, prefix
        self.before = []
        self.special = row.special and self.chance(0.2)
        self.empty = 0.15 if row.empty and self.chance(0.1) else 0.0
        self.wide = self.chance(0.2)  # extents beyond the widths of vectors and tiles

    def int(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, choices):
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, p):
        return bool(self.rng.random() < p)

    def extent(self, most=5):
        if self.empty and self.chance(self.empty):
            return 0
        return self.int(1, 10 * most if self.wide and self.chance(0.5) else most)

    def shape(self, low=1, high=4, most=6):
        return self.shape_of_rank(self.int(low, high), most)

    def shape_of_rank(self, rank, most=5):
        shape = [self.extent(most) for _ in range(rank)]
        while np.prod(shape) > 8192:
            shape[int(np.argmax(shape))] //= 2
        return tuple(shape)

    def array(self, dtype, shape, low=-4, high=4):
        """Multiples of 1/8 for floats, so that sums and products of a few are exact."""
        dtype = np.dtype(dtype)
        if dtype == np.bool_:
            return self.rng.integers(0, 2, shape).astype(np.bool_)
        if dtype.kind in "iu":
            low = max(low, np.iinfo(dtype).min)
            return np.asarray(self.rng.integers(low, high + 1, shape)).astype(dtype)
        array = np.asarray(self.rng.integers(low * 8, high * 8 + 1, shape) / 8).astype(dtype)
        if self.special and low < 0:
            array = np.where(self.rng.random(shape) < 0.3, self.rng.choice(specials(dtype), shape), array).astype(dtype)
        return array

    def fits(self, name, dtype, shape, rank, low):
        array, exact = self.pool[name]
        if array.dtype != dtype or array.size > 4096 or (self.row.steps and not exact):
            return False
        if (shape is not None and array.shape != tuple(shape)) or (rank is not None and array.ndim not in rank):
            return False
        if array.size == 0:
            return self.row.empty and low <= -4
        # Huge numbers would hide errors behind the tolerance, or cancel.
        if array.dtype.kind == "f" and not self.row.special and not np.all(np.abs(array) < 1e3):
            return False
        return low <= -4 or bool(array.min() >= low)

    def value(self, dtype=np.float32, shape=None, rank=None, low=-4, high=4, reuse=0.5):
        """The name of an operand: one made earlier where it fits, else a new graph input."""
        if reuse and self.chance(reuse):
            found = [n for n in self.pool if self.fits(n, dtype, shape, rank, low)]
            if found:
                return self.pick(found)
        if shape is None:
            ranks = list(rank) if rank is not None else [0, 1, 2, 3, 4]
            shape = self.shape_of_rank(self.pick(ranks))
        return self.add_input(self.array(dtype, shape, low, high))

    def constant(self, array):
        array = np.asarray(array)
        unfed = array.dtype.kind in "OV"  # strings and narrow types
        return self.add_constant(array) if unfed or self.chance(0.7) else self.add_input(array)

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, op, inputs, outputs=1, domain="", **attributes):
        """A node before the one that is tried; the names of its outputs (one name where it has one)."""
        names = [f"{self.prefix}b{len(self.before)}_{i}" for i in range(outputs)]
        self.before.append(helper.make_node(op, inputs, names, name=names[0], domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def data(self, name):
        return self.pool[name][0]

    def dtype(self, wide=0.25):
        return self.pick((np.float64, np.float16, np.int32, np.int64)) if self.chance(wide) else np.float32

    def float_dtype(self):
        return self.pick((np.float64, np.float16)) if self.chance(0.15) else np.float32

    def axis(self, rank):
        """Of a tensor of that rank; negative axes came with opset 11."""
        return self.int(-rank if self.opset >= 11 else 0, rank - 1)

    def axes(self, rank):
        chosen = [a for a in range(rank) if self.chance(0.5)]
        return [a - rank if self.opset >= 11 and self.chance(0.3) else a for a in chosen]

    def optional(self, p=0.5, **attributes):
        return {k: v for k, v in attributes.items() if self.chance(p)}

    def broadcastable(self, shape):
        """A shape that broadcasts with `shape`."""
        result = [1 if self.chance(0.3) else d for d in shape]
        return tuple(result[self.int(0, len(result)):]) if self.chance(0.5) else tuple(result)
