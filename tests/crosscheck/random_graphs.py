#!/usr/bin/env python3
"""Random small graphs, computed by fettle and by ONNX Runtime.

    random_graphs.py BINARY [--seconds S] [--seed N] [--only I] [--keep FOLDER] [--operators A,B] [--optimize] [--refused]

Graph I of seed N is always the same. Each has 1 to 5 nodes drawn from random_nodes.TABLE, with random
types, ranks, broadcasting and attributes, at a random opset; a node that ONNX Runtime cannot run is
left out, and fettle must survive it. fettle must give the same shapes, types and values, with and without its accelerated kernels. Failing models
are kept where --keep says. Prints `N passed, N failed, N skipped`; skipped are graphs that ONNX
Runtime could not run at all.
"""
import argparse
import collections
import functools
import json
import os
import subprocess
import sys
import tempfile
import time

EXIT_SKIP = 77
try:
    import numpy as np
    import onnx
    import onnxruntime as ort
    from onnx import helper, numpy_helper
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(EXIT_SKIP)
import random_nodes
from random_draw import MICROSOFT, ML, Draw

OPSETS = (*range(7, 20), *[20, 21, 22, 23, 24, 25, 26] * 2)  # 26 is the latest that ONNX Runtime 1.31 takes
ML_OPSETS = (1, 2, 3, 4, 5, 5)
ort.set_default_logger_severity(4)
# Relative to the output's largest magnitude; halves carry 11 bits and pass through several nodes.
TOLERANCE = {"float16": 2e-2, "float32": 2e-4, "float64": 1e-6}


def model_of(opsets, nodes, inputs, constants, outputs):
    """`opsets`: of ai.onnx and of ai.onnx.ml."""
    info = lambda name, a: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
    anonymous = lambda name, a: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), None)
    graph = helper.make_graph(nodes, "random", [info(n, a) for n, a in inputs.items()],
                              [anonymous(n, a) for n, a in outputs.items()],
                              [numpy_helper.from_array(a, n) for n, a in constants.items()])
    return helper.make_model(graph, opset_imports=imports(opsets), ir_version=10)


def imports(opsets):
    return [helper.make_opsetid("", opsets[0]), helper.make_opsetid(ML, opsets[1]), helper.make_opsetid(MICROSOFT, 1)]


def names_read(nodes):
    """The names that nodes and their bodies read."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from names_read(attribute.g.node)


def run_onnxruntime(model, feeds):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # its fusions round elsewhere
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


@functools.cache
def schema_of(op, opset, domain=""):
    return onnx.defs.get_schema(op, opset, domain) if onnx.defs.has(op, opset, domain) else None


def available(row, opsets):
    """Whether the opset has the operator, or it is ONNX Runtime's own."""
    schema = schema_of(row.op, opsets[row.domain == ML], row.domain)
    return not schema.deprecated if schema else not onnx.defs.has(row.op, row.domain)


class Graph:
    """One random graph with the values that ONNX Runtime computes node by node."""

    def __init__(self, rng, table):
        self.opsets = int(rng.choice(OPSETS)), int(rng.choice(ML_OPSETS))
        self.inputs, self.constants, self.nodes = {}, {}, []
        self.pool = {}  # name -> (array, exact)
        self.computed = {}
        self.tried, self.refused = 0, []
        table = [row for row in table if available(row, self.opsets)]
        for _ in range(int(rng.integers(1, 6)) if table else 0):
            self.grow(rng, table)
        # Values that are read and are no outputs let nodes be fused.
        read = set(names_read(self.nodes))
        self.outputs = {n: a for n, a in self.computed.items() if n not in read or rng.random() < 0.4}

    def add(self, store, prefix, array):
        name = f"{prefix}{len(self.inputs) + len(self.constants)}"
        if store is self.inputs and array.dtype.kind == "f" and not np.isfinite(array).all():
            # Data with NaN or infinities are refused, so these are quotients of data.
            under = np.where(np.isfinite(array), 1, 0).astype(array.dtype)
            over = np.where(np.isnan(array), 0, np.where(np.isinf(array), np.sign(array), array)).astype(array.dtype)
            store[name + "n"], store[name + "d"] = over, under
            self.nodes.append(helper.make_node("Div", [name + "n", name + "d"], [name], name=name))
        else:
            store[name] = array
        self.pool[name] = (array, True)
        return name

    def grow(self, rng, table):
        row = table[int(rng.integers(len(table)))]
        saved = dict(self.inputs), dict(self.constants), dict(self.pool), list(self.nodes)
        self.tried += 1
        model = None
        draw = Draw(rng, row, self.opsets[0], self.pool, lambda a: self.add(self.inputs, "x", np.asarray(a)),
                    lambda a: self.add(self.constants, "c", np.asarray(a)), prefix=f"n{self.tried}")
        try:
            node = row.family(draw, row.op)
            protos, names = self.protos(draw, node)
            operands = {n: self.pool[n][0] for n in sorted(set(names_read(protos))) if n in self.pool}
            fixed = {n: a for n, a in operands.items() if n in self.constants}
            fed = {n: a for n, a in operands.items() if n not in self.constants}
            types = {n: np.zeros(0, t) for n, t in zip(names, node.types)} if node.types else self.guess(protos, operands, names)
            model = model_of(self.opsets, protos, fed, fixed, {n: types[n] for n in names if n})
            results = run_onnxruntime(model, fed)
        except Exception as error:  # ONNX Runtime has no kernel for these types, or refuses the attributes
            self.refused.append((f"{row.op}, opset {self.opsets[0]}: {type(error).__name__}: {str(error)[:300]}", model, fed))
            self.inputs, self.constants, self.pool, self.nodes = saved
            return
        exact = row.exact and all(self.pool[n][1] for n in operands)
        for name, array in zip([n for n in names if n], results):
            array = np.asarray(array)
            usable = exact and (array.dtype.kind != "f" or bool(np.all(np.abs(array) < 1024)))
            self.pool[name] = (array, usable)
            self.computed[name] = array
        self.nodes += protos

    def protos(self, draw, node):
        """The node after those it needs before it, and the names of its outputs."""
        names = [f"y{self.tried}_{i}" for i in range(node.outputs)]
        if node.types:
            names = [n if t is not None else "" for n, t in zip(names, node.types)]
        inputs = list(node.inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        schema = schema_of(node.op, self.opsets[0]) if node.domain == "" else None
        known = schema.attributes if schema else node.attributes
        attributes = {k: v for k, v in node.attributes.items() if k in known}
        proto = helper.make_node(node.op, inputs, names, name=f"{node.op}_{self.tried}", domain=node.domain, **attributes)
        return draw.before + [proto], names

    def guess(self, protos, operands, names):
        """Output types by ONNX's own inference, which a model must declare before it can run."""
        probe = helper.make_model(helper.make_graph(
            protos, "probe", [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
                              for n, a in operands.items()],
            [helper.make_empty_tensor_value_info(n) for n in names]), opset_imports=imports(self.opsets), ir_version=10)
        inferred = onnx.shape_inference.infer_shapes(probe)
        types = {o.name: o.type.tensor_type.elem_type for o in inferred.graph.output}
        read = [operands[n] for p in protos for n in p.input if n in operands]
        first = read[0].dtype if read else np.float32  # where ONNX does not know
        return {n: np.zeros(0, helper.tensor_dtype_to_np_dtype(types[n]) if types[n] else first) for n in names}


def difference(ours, theirs):
    if ours.dtype != theirs.dtype:
        return f"type {ours.dtype}, expected {theirs.dtype}"
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, expected {theirs.shape}"
    if theirs.size == 0:
        return None
    if theirs.dtype.kind != "f":
        wrong = int(np.sum(ours != theirs))
        return f"{wrong} of {theirs.size} elements differ" if wrong else None
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    if not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return "non-finite elements in other places"
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return "other non-finite elements"
    if not finite.any():
        return None
    a, b = a[finite], b[finite]
    ordinary = np.abs(b[np.abs(b) < 1e9])  # huge elements beside them must not hide their errors
    scale = np.maximum(np.abs(b), max(1.0, float(np.max(ordinary, initial=0))))
    error = np.abs(a - b) / scale
    worst = int(np.argmax(error))
    return f"max error {error[worst] * scale[worst]:.3g} at scale {scale[worst]:.3g}" if error[worst] > TOLERANCE[theirs.dtype.name] else None


def run_fettle(binary, path, feeds, exact, folder):
    data, out = os.path.join(folder, "in.npz"), os.path.join(folder, "out.npz")
    np.savez(data, **{n: a[None] for n, a in feeds.items()})
    command = [binary, "run", path, "-o", out, "-q", "--threads", "1"] + (["--data", data] if feeds else [])
    try:
        done = subprocess.run(command + (["--exact"] if exact else []), capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None, "not done after 120 seconds"
    if done.returncode != 0:
        return None, f"exit code {done.returncode}: {done.stderr.strip()[-300:]}"
    with np.load(out) as f:
        return {n: f[n] for n in f.files}, None


def check(binary, graph, folder):
    """What fettle does wrong, or nothing."""
    model = model_of(graph.opsets, graph.nodes, graph.inputs, graph.constants, graph.outputs)
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path)
    theirs = dict(zip(graph.outputs, run_onnxruntime(model, graph.inputs)))
    for exact in (False, True):
        ours, error = run_fettle(binary, path, graph.inputs, exact, folder)
        mode = "exact" if exact else "accelerated"
        if error:
            return f"{mode}: {error}"
        for name, expected in theirs.items():
            array = ours[name]
            if array.shape == (1, *np.asarray(expected).shape):  # the axis of samples
                array = array[0]
            what = difference(array, np.asarray(expected))
            if what:
                node = next(n for n in graph.nodes if name in n.output)
                return f"{mode}: {node.op_type} output {name}: {what}"
    return None


def check_optimized(binary, graph, folder):
    """What is wrong with the model that `fettle optimize` makes of model.onnx, by ONNX Runtime, or nothing."""
    path, out = os.path.join(folder, "model.onnx"), os.path.join(folder, "optimized.onnx")
    done = subprocess.run([binary, "optimize", path, "-o", out, "-q", "--threads", "1"], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        return f"optimize: exit code {done.returncode}: {done.stderr.strip()[-300:]}"
    try:
        theirs, ours = (run_onnxruntime(onnx.load(p), graph.inputs) for p in (path, out))
    except Exception as error:
        return f"optimize: ONNX Runtime refuses the result: {str(error)[:300]}"
    for name, a, b in zip(graph.outputs, ours, theirs):
        what = difference(np.asarray(a), np.asarray(b))
        if what:
            return f"optimize: output {name}: {what}"
    return None


def check_refused(binary, graph, folder):
    """What fettle does wrong with models that ONNX Runtime refuses, or nothing: to run them or to say what is wrong are both right."""
    for reason, model, feeds in graph.refused:
        if model is None:
            continue
        path = os.path.join(folder, "model.onnx")
        onnx.save(model, path)
        error = run_fettle(binary, path, feeds, False, folder)[1]
        if error and not error.startswith("exit code 2:"):
            return f"refused model: {error}; ONNX Runtime: {reason}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--keep")
    parser.add_argument("--operators")
    parser.add_argument("--optimize", action="store_true", help="judge what `fettle optimize` makes of them, too")
    parser.add_argument("--refused", action="store_true", help="print why ONNX Runtime left nodes out")
    arguments = parser.parse_args()
    known = json.loads(subprocess.run([arguments.binary, "operators", "--json"], capture_output=True, text=True, check=True).stdout)
    known = {(o["domain"], o["operator"]) for o in known}
    table = [r for r in random_nodes.TABLE if (r.domain or "ai.onnx", r.op) in known]
    missing = sorted({r.op for r in random_nodes.TABLE} - {r.op for r in table})
    if arguments.operators:
        table = [r for r in table if r.op in arguments.operators.split(",")]
    print(f"{len({(r.domain, r.op) for r in table})} operators" + (f"; fettle lacks {', '.join(missing)}" if missing else ""))
    passed, skipped, failures, drawn = 0, 0, [], collections.Counter()
    start, index = time.monotonic(), arguments.only or 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() - start < arguments.seconds:
            graph = Graph(np.random.default_rng([arguments.seed, index]), table)
            for reason, _, _ in graph.refused if arguments.refused else []:
                print(f"graph {index}: {reason}")
            wrong = check_refused(arguments.binary, graph, folder)
            if not graph.nodes and not wrong:
                skipped += 1
            else:
                drawn.update((n.domain, n.op_type) for n in graph.nodes)
                wrong = wrong or check(arguments.binary, graph, folder)
                if arguments.optimize:
                    wrong = wrong or check_optimized(arguments.binary, graph, folder)
                passed += wrong is None
                if wrong:
                    failures.append(f"graph {index}: {wrong}")
                    print("FAILED", failures[-1], flush=True)
                    if arguments.keep:
                        os.makedirs(arguments.keep, exist_ok=True)
                        os.replace(os.path.join(folder, "model.onnx"), os.path.join(arguments.keep, f"{arguments.seed}_{index}.onnx"))
                        if os.path.exists(os.path.join(folder, "in.npz")):
                            os.replace(os.path.join(folder, "in.npz"), os.path.join(arguments.keep, f"{arguments.seed}_{index}.npz"))
            index += 1
            if arguments.only is not None:
                break
    never = sorted({f"{r.domain}.{r.op}".lstrip(".") for r in table if not drawn[r.domain, r.op]})
    print(f"seed {arguments.seed}, graphs 0 to {index - 1}, {sum(drawn.values())} nodes" + (f"; never drawn or never runnable: {', '.join(never)}" if never else ""))
    print(f"{passed} passed, {len(failures)} failed, {skipped} skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
