"""Fused and attention operators: the configurations that contrib_ops.py draws, on operands of random graphs."""
import contrib_ops
import contrib_quantized_ops
import numpy as np

from random_draw import Node, Row


def drawn(domain, draw):
    def family(d, op):
        case = draw(contrib_ops.Draw(d.int(0, 2**31)))
        inputs = ["" if a is None else d.value(a.dtype, shape=a.shape, reuse=0.3) if keeps(a) else d.constant(a) for a in case.inputs]
        return Node(op, inputs, case.attributes, outputs=len(case.outputs), domain=domain, types=case.outputs)

    return family


def keeps(array):
    """Whether any numbers would do in the place of these."""
    return array.dtype == np.float32 and array.ndim > 1


# The other quantized operators have tolerances of their own, in contrib_quantized_ops.py.
CASES = contrib_ops.CASES + [c for c in contrib_quantized_ops.CASES if c[0] in ("MatMulNBits", "GatherBlockQuantized")]
TABLE = [Row(op, drawn(domain, draw), domain=domain) for op, domain, draw in CASES]
