#!/usr/bin/env python3
"""Writes the conformance cases of the installed `onnx` package.

    write_conformance.py FOLDER

FOLDER gets node/<case>/{model.onnx,test_data_set_0/...} as ONNX lays them out, and the light, simple
and pytorch-* suites that the package carries. Cases of opsets newer than 27 are left out.
"""
import os
import shutil
import sys
import warnings

import onnx
import onnx.backend.test.case.node as node_cases
from onnx import TensorProto, numpy_helper

NEWEST_OPSET = 27


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def to_proto(value, declared):
    if isinstance(value, TensorProto):
        return value
    kind = declared.type.WhichOneof("value")
    maker = {"map_type": numpy_helper.from_dict, "sequence_type": numpy_helper.from_list,
             "optional_type": numpy_helper.from_optional}.get(kind, numpy_helper.from_array)
    return maker(value, declared.name)


def write_case(case, folder):
    os.makedirs(folder)
    write(os.path.join(folder, "model.onnx"), case.model.SerializeToString())
    for i, (inputs, outputs) in enumerate(case.data_sets):
        data = os.path.join(folder, f"test_data_set_{i}")
        os.makedirs(data)
        for kind, values, declared in (("input", inputs, case.model.graph.input),
                                       ("output", outputs, case.model.graph.output)):
            for k, value in enumerate(values):
                write(os.path.join(data, f"{kind}_{k}.pb"), to_proto(value, declared[k]).SerializeToString())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    final = sys.argv[1]
    folder = final + ".partial"
    shutil.rmtree(folder, ignore_errors=True)
    package = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    for suite in ("light", "simple", "pytorch-converted", "pytorch-operator"):
        shutil.copytree(os.path.join(package, suite), os.path.join(folder, suite))
    warnings.simplefilter("ignore")  # the cases divide by zero on purpose
    written = 0
    for case in node_cases.collect_testcases(None):
        if max((o.version for o in case.model.opset_import if o.domain in ("", "ai.onnx")), default=0) > NEWEST_OPSET:
            continue
        write_case(case, os.path.join(folder, "node", case.name))
        written += 1
    os.replace(folder, final)
    print(f"{written} node cases")


if __name__ == "__main__":
    main()
