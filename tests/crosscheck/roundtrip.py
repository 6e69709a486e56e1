#!/usr/bin/env python3
"""Round trip of every ONNX file under a folder through fettle, judged by the onnx package.

usage: roundtrip.py FETTLE_ROUNDTRIP FOLDER

Done twice: into single files, and with external data. Every file that onnx.checker accepts must be read, and written back as an equal ModelProto with
equal tensors (external data included). Files it rejects must be read or refused with a message.
Exit codes: 0 all equal, 1 differences, 77 skipped.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
EXTERNAL = 1  # TensorProto.EXTERNAL


def accepted(path, onnx):
    """(accepted by onnx.checker, its message)."""
    try:
        onnx.checker.check_model(str(path))
        return True, ""
    except Exception as error:  # the checker raises a dozen types
        return False, f"{type(error).__name__}: {error}"


def tensors(message, onnx):
    """Every TensorProto within a message, in order."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for item in value if field.is_repeated else [value]:
            yield from tensors(item, onnx)


def embed_external(model, folder, onnx):
    """Replaces external data by raw_data, so that models compare equal wherever data lies."""
    for tensor in tensors(model, onnx):
        if tensor.data_location == EXTERNAL:
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
            tensor.ClearField("data_location")
            del tensor.external_data[:]


def adopt_storage(source, written, onnx):
    """Gives tensors that were moved out of a model the storage form they had in it, when their
    elements are the same. Returns how many."""
    to_array = onnx.numpy_helper.to_array
    moved = 0
    for a, b in zip(tensors(source, onnx), tensors(written, onnx)):
        same = (a.data_type, a.dims, a.name) == (b.data_type, b.dims, b.name)
        if a != b and same and to_array(a).tobytes() == to_array(b).tobytes():
            b.CopyFrom(a)
            moved += 1
    return moved


def equal(before, after, external, onnx):
    """An empty text when both files hold the same model, else where they differ."""
    models = []
    for path in (before, after):
        model = onnx.load(str(path), load_external_data=False)
        embed_external(model, pathlib.Path(path).parent, onnx)
        models.append(model)
    if external:
        adopt_storage(*models, onnx)
    if models[0] == models[1]:
        return ""
    a, b = (str(m).splitlines() for m in models)
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return f"line {i}: {x.strip()[:80]!r} became {y.strip()[:80]!r}"
    return f"{len(a)} lines became {len(b)}"


class Roundtrip:
    """The tool, started again after a crash."""

    def __init__(self, command):
        self.command = command
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, source, target):
        self.process.stdin.write(f"{source}\t{target}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            code = self.process.wait()
            self.start()
            return f"crash {code}"
        return answer


def run(command, folder, external, onnx):
    """The figures of one round trip over all models under `folder`."""
    tool = Roundtrip(command + ["--external"] * external)
    figures = dict.fromkeys(
        ("files", "accepted by onnx", "equal", "same bytes", "different", "refused by fettle",
         "rejected by onnx", "of these read by fettle", "crashes"), 0)
    with tempfile.TemporaryDirectory() as out:
        target = os.path.join(out, "out.onnx")
        for path in sorted(pathlib.Path(folder).rglob("*.onnx")):
            figures["files"] += 1
            ok, reason = accepted(path, onnx)
            figures["accepted by onnx" if ok else "rejected by onnx"] += 1
            answer = tool.run(path, target)
            if answer.startswith("crash"):
                figures["crashes"] += 1
                print(f"CRASH {path}: {answer}")
            elif ok and answer != "ok":
                figures["refused by fettle"] += 1
                print(f"REFUSED {path}: {answer}")
            elif ok:
                difference = equal(path, target, external, onnx)
                figures["same bytes"] += path.read_bytes() == pathlib.Path(target).read_bytes()
                figures["different" if difference else "equal"] += 1
                if difference:
                    print(f"DIFFERENT {path}: {difference}")
            else:
                figures["of these read by fettle"] += answer == "ok"
                if os.environ.get("FETTLE_VERBOSE"):
                    print(f"rejected by onnx {path}: {reason.strip().splitlines()[:1]}: {answer}")
    return figures


def main():
    if len(sys.argv) != 3 or not os.path.isdir(sys.argv[2]):
        print("SKIPPED: the folder with models is absent; set FETTLE_SHARED")
        return SKIPPED
    try:
        import onnx
    except ImportError:
        print("SKIPPED: this Python lacks the onnx package; set FETTLE_PYTHON")
        return SKIPPED
    bad = 0
    for external in (False, True):
        figures = run([sys.argv[1]], sys.argv[2], external, onnx)
        print("with external data:" if external else "single files:")
        for name, value in figures.items():
            print(f"  {name}: {value}")
        bad += figures["different"] + figures["refused by fettle"] + figures["crashes"]
        bad += figures["equal"] == 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
