#!/usr/bin/env python3
"""Data files as numpy, h5py and onnx write them, read by fettle and compared element by element.

usage: datasets.py FETTLE_DATASET

Exit codes: 0 all equal, 1 differences, 77 skipped.
"""

import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77


def make_model(path, helper, onnx, inputs):
    """A model that passes every input (name, ONNX type, shape) on."""
    infos = [helper.make_tensor_value_info(*i) for i in inputs]
    outputs = [helper.make_tensor_value_info("out" + str(k), t, s)
               for k, (_, t, s) in enumerate(inputs)]
    nodes = [helper.make_node("Identity", [name], ["out" + str(k)])
             for k, (name, _, _) in enumerate(inputs)]
    graph = helper.make_graph(nodes, "g", infos, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              path)


class Checker:
    def __init__(self, tool, folder, np):
        self.tool, self.folder, self.np = tool, folder, np
        self.failures, self.checks = 0, 0

    def report(self, label, problem):
        self.checks += 1
        if problem:
            self.failures += 1
            print(f"FAILED {label}: {problem}")

    def read(self, model, data):
        out = self.folder / "read.npz"
        out.unlink(missing_ok=True)
        return out, subprocess.run([self.tool, model, data, out], capture_output=True, text=True)

    def equal(self, label, model, data, expected, labels=None):
        """Checks that the fed arrays equal `expected`, {input: array}, types included."""
        out, run = self.read(model, data)
        if run.returncode != 0:
            return self.report(label, f"exit {run.returncode}: {run.stderr.strip()}")
        with self.np.load(out) as read:
            for name, want in expected.items():
                got = read[name]
                if got.dtype != want.dtype or got.shape != want.shape:
                    return self.report(label, f"{name} is {got.dtype} {got.shape}, "
                                              f"expected {want.dtype} {want.shape}")
                if got.tobytes() != self.np.ascontiguousarray(want).tobytes():
                    return self.report(label, f"elements of {name} differ")
        if labels is not None and [int(x) for x in run.stdout.split()] != list(labels):
            return self.report(label, f"labels differ: {run.stdout.split()}")
        self.report(label, None)

    def refused(self, label, model, data, words):
        """Checks for exit code 2 and one line that holds `words`."""
        _, run = self.read(model, data)
        message = run.stderr.strip()
        wrong = run.returncode != 2 or words not in message or "\n" in message
        self.report(label, f"exit {run.returncode}: {message}" if wrong else None)


def check_npy(check, model, x, np):
    variants = {
        "C order": x, "Fortran order": np.asfortranarray(x), "big endian": x.astype(">f4"),
        "big-endian Fortran": np.asfortranarray(x.astype(">f8")),
        "float16": x.astype(np.float16), "float64": x.astype(np.float64),
        "a view with strides": np.repeat(x, 2, axis=2)[:, :, ::2],
    }
    for dtype in (np.uint8, np.int8, np.uint16, np.int16, np.int32, np.int64, np.uint64, bool):
        variants[np.dtype(dtype).name] = (np.abs(x) * 10).astype(dtype)
    for label, array in variants.items():
        path = check.folder / "data.npy"
        np.save(path, array)
        check.equal("npy, " + label, model, path, {"x": array.astype(np.float32)})
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(check.folder / "data.npy", "wb") as file:
            np.lib.format.write_array(file, x, version=version)
        check.equal(f"npy, version {version}", model, check.folder / "data.npy", {"x": x})
    np.save(check.folder / "data.npy", np.array([{"a": 1}]), allow_pickle=True)
    check.refused("npy, pickle", model, check.folder / "data.npy", "Python objects")
    np.save(check.folder / "data.npy", np.zeros((2, 3, 4), [("a", "f4")]))
    check.refused("npy, records", model, check.folder / "data.npy", "records")


def check_npz(check, model, x, np):
    labels = np.arange(len(x)) % 5
    for label, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        path = check.folder / "data.npz"
        save(path, x=x, labels=labels)
        check.equal("npz, " + label, model, path, {"x": x}, labels)
        save(path, x=np.asfortranarray(x.astype(">f8")), labels=labels.astype(np.float32))
        check.equal("npz, Fortran, " + label, model, path, {"x": x}, labels)
        save(path, x)
        check.equal("npz, arr_0, " + label, model, path, {"x": x})
    out, _ = check.read(model, path)  # written by fettle, with zip64 fields
    out.rename(path)
    check.equal("npz, written by fettle", model, path, {"x": x})


def check_hdf5(check, model, x, np, h5py):
    path = check.folder / "data.h5"
    labels = np.arange(len(x)) % 5
    options = {
        "contiguous": {}, "chunked": {"chunks": (3, 2, 4)}, "auto chunks": {"chunks": True},
        "gzip": {"compression": "gzip", "compression_opts": 9},
        "gzip and shuffle": {"compression": "gzip", "shuffle": True, "fletcher32": True},
        "resizable": {"maxshape": (None,) + x.shape[1:]},
    }
    for label, keywords in options.items():
        for dtype in ("<f4", ">f4", "<f8", "<f2", "u1", ">i2"):
            array = (np.abs(x) * 10).astype(dtype)
            for libver in ("earliest", "v110"):
                with h5py.File(path, "w", libver=(libver, "v110")) as file:
                    file.create_dataset("x", data=array, **keywords)
                    file.create_dataset("labels", data=labels)
                check.equal(f"hdf5, {label}, {dtype}, {libver}", model, path,
                            {"x": array.astype(np.float32)}, labels)
    with h5py.File(path, "w") as file:
        file["x"] = x > 0
    check.equal("hdf5, bool", model, path, {"x": (x > 0).astype(np.float32)})
    with h5py.File(path, "w", userblock_size=512) as file:
        file["x"] = x
    check.equal("hdf5, user block", model, path, {"x": x})
    with h5py.File(path, "w") as file:
        for i, sample in enumerate(x):
            file[f"sample_{i}/x"] = sample[None]
    check.equal("hdf5, sample groups", model, path, {"x": x})
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=x, compression="lzf")
    check.refused("hdf5, lzf", model, path, "gzip")
    with h5py.File(path, "w") as file:
        file["x"] = [b"text"]
    check.refused("hdf5, strings", model, path, "not integers, bool or floats")


def check_folders(check, model, x, np, onnx):
    folder = check.folder / "npy"
    folder.mkdir()
    np.save(folder / "x.npy", x)
    check.equal("folder of npy", model, folder, {"x": x})
    folder = check.folder / "sets"
    for i, sample in enumerate(x):
        (folder / f"test_data_set_{i}").mkdir(parents=True)
        tensor = onnx.numpy_helper.from_array(sample[None])
        (folder / f"test_data_set_{i}" / "input_0.pb").write_bytes(tensor.SerializeToString())
    check.equal("test data sets", model, folder, {"x": x})


def check_types(check, np, onnx):
    """Inputs of every plain type, stored in their own type."""
    helper, types = onnx.helper, onnx.TensorProto
    path, model = check.folder / "typed.npz", check.folder / "typed.onnx"
    for number, dtype in ((types.UINT8, "u1"), (types.INT8, "i1"), (types.UINT16, "u2"),
                          (types.INT16, "i2"), (types.INT32, "i4"), (types.INT64, "i8"),
                          (types.UINT32, "u4"), (types.UINT64, "u8"), (types.FLOAT16, "f2"),
                          (types.DOUBLE, "f8"), (types.BOOL, "?")):
        make_model(model, helper, onnx, [("x", number, ["N", 3]), ("state", number, [2, "N"])])
        x = (np.arange(15).reshape(5, 3) % 2).astype(dtype)
        state = (np.arange(10).reshape(5, 2, 1) % 2).astype(dtype)
        np.savez(path, x=x, state=state)
        check.equal(f"input of {np.dtype(dtype).name}", model, path, {"x": x, "state": state})


def main():
    try:
        import h5py
        import numpy as np
        import onnx
    except ImportError as error:
        print(f"SKIPPED: {error}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model = folder / "model.onnx"
        make_model(model, onnx.helper, onnx, [("x", onnx.TensorProto.FLOAT, ["N", 3, 4])])
        rng = np.random.default_rng(1)
        x = (rng.integers(-1000, 1000, (11, 3, 4)) / 128).astype(np.float32)  # exact in float16
        check = Checker(sys.argv[1], folder, np)
        check_npy(check, model, x, np)
        check_npz(check, model, x, np)
        check_hdf5(check, model, x, np, h5py)
        check_folders(check, model, x, np, onnx)
        check_types(check, np, onnx)
    print(f"{check.checks} data files, {check.failures} failures")
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
