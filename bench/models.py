#!/usr/bin/env python3
"""fettle and ONNX Runtime side by side on whole models: time and peak memory, float32 and INT8.

    models.py BINARY [MODEL ...] [--format float32|int8] [--threads N] [--runs N] [--keep FOLDER]
              [--write docs/performance.md]

Models: the conformance `light` models and every zoo model of ../shared (or $FETTLE_SHARED), blocks of
matrix products, recurrent layers and attention, and the bundled test models. INT8 models are what
`fettle compress` makes of them (plus the zoo's own INT8 models; the light models get random weights
before, because equal ones are not worth quantizing); both engines run the same file. Each pair is
measured by `fettle bench`: one process per engine, bursts of runs in turns, medians. Names given as
MODEL restrict the run. --write replaces the tables in that document. Exit code 1: a model failed.
"""
import argparse
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

import blocks
import light

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get("FETTLE_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))
RECOMMENDER = "extension_recommender_int8"
QUANTIZED = {"mobilenetv2_int8_qdq", "mobilenetv2_torch_int8_qdq", "mnist_dynamic_int8", "kws_dscnn_int8_qdq", RECOMMENDER}
# No integer form is made of these: see docs/performance.md.
FLOAT_ONLY = {"squeezenet11_fp16", "silero_vad", "lstm_50x128", "lstm_20x256", "gru_50x128"}


# Slowest acceptable ratio, ONNX Runtime's time to fettle's.
LEAST = {"float32": 0.5, "int8": 0.35}


class Subject:
    def __init__(self, name, path, data=None):
        self.name, self.path, self.data = name, path, data
        self.light = name.startswith("light_")

    def convolves(self):
        nodes = onnx.load(self.path, load_external_data=False).graph.node
        return any(n.op_type in ("Conv", "ConvTranspose") for n in nodes)


def fettle(binary, *arguments):
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments[:2])}: {done.stderr.strip()[-300:]}")
    return done.stdout


def random_images(path, folder, samples=4):
    """Random data for a model whose inputs have fixed dims."""
    inputs = {}
    graph = onnx.load(path, load_external_data=False).graph
    weights = {w.name for w in graph.initializer}
    for value in graph.input:
        if value.name in weights:
            continue
        dims = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        inputs[value.name] = np.random.RandomState(0).randn(samples, *dims).astype(np.float32)
    out = os.path.join(folder, "random.npz")
    np.savez(out, **inputs)
    return out


def recommender_input(folder):
    """Flags of the 3450 extensions that the recommender knows; the zoo has no data for it."""
    out = os.path.join(folder, "recommender.npz")
    np.savez(out, inputs=np.random.RandomState(0).randint(0, 2, (4, 3450)).astype(np.int32))
    return out


def zoo_subjects(folder, wanted):
    """Those named in `wanted` (empty: all), with the samples that the zoo's script prepares."""
    zoo = os.path.join(SHARED, "zoo")
    names = [file[:-5] for file in sorted(os.listdir(os.path.join(zoo, "models")))]
    names = [name for name in names if not wanted or name in wanted]
    data = os.environ.get("FETTLE_ZOO_DATA", os.path.join(folder, "zoo_data"))
    missing = [n for n in names if n != RECOMMENDER and not os.path.exists(os.path.join(data, n, "calib.h5"))]
    if missing:
        print("preparing the zoo's data", file=sys.stderr)
        subprocess.run([sys.executable, os.path.join(zoo, "prepare.py"), data, *missing], check=True,
                       stdout=subprocess.DEVNULL)
    for name in names:
        samples = os.path.join(data, name, "calib.h5")
        if name == RECOMMENDER:
            samples = recommender_input(folder)
        yield Subject(name, os.path.join(zoo, "models", name + ".onnx"), samples)


def subjects(folder, wanted):
    """Every model there is of those named in `wanted` (empty: all), with data where it has some."""
    light_models = os.path.join(SHARED, "conformance", "light")
    for file in sorted(os.listdir(light_models)) if os.path.isdir(light_models) else []:
        if file.endswith(".onnx"):
            yield Subject(file[:-5], os.path.join(light_models, file))
    if os.path.isdir(os.path.join(SHARED, "zoo")):
        yield from zoo_subjects(folder, wanted)
    else:
        print(f"SKIPPED: the light and zoo models; {SHARED} does not exist", file=sys.stderr)
    made = os.path.join(folder, "blocks")
    blocks.write_all(made)
    for name in sorted(os.listdir(made)):
        yield Subject(name, os.path.join(made, name, "model.onnx"), os.path.join(made, name, "input.npz"))
    for name in ("resnet", "dscnn", "mlp", "lstm"):
        yield Subject(f"digits_{name}", os.path.join(ROOT, "testdata", f"digits_{name}.onnx"),
                      os.path.join(ROOT, "testdata", "digits_calib.h5"))


def quantized(binary, subject, folder, threads):
    """The subject's INT8 form, or None where it has none."""
    if subject.name in QUANTIZED:
        return subject.path
    if subject.name in FLOAT_ONLY:
        return None
    own = os.path.join(folder, "int8", subject.name)
    os.makedirs(own, exist_ok=True)
    data = subject.data or random_images(subject.path, own)
    out = os.path.join(own, "out")
    if not os.path.exists(os.path.join(out, "model.onnx")):
        source = subject.path
        if subject.light:
            source = os.path.join(own, "float.onnx")
            light.materialize(subject.path, source)
        fettle(binary, "compress", source, "--data", data, "--samples", "4", "--eval-samples", "1", "--no-bench",
               "-q", "-o", out, "--threads", str(threads))
    return os.path.join(out, "model.onnx")


def measure(binary, path, data, threads, runs):
    arguments = ["bench", path, "--json", "--threads", str(threads), "--runs", str(runs), "--max-seconds", "20"]
    if data:
        arguments += ["--data", data]
    answer = json.loads(fettle(binary, *arguments))
    return {r["engine"]: r for r in answer["runs"]}


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else float("nan")


def row(name, result):
    ours, theirs = result["fettle"], result["onnxruntime"]
    return {"name": name, "fettle_ms": ours["median_ms"], "ort_ms": theirs["median_ms"],
            "ratio": theirs["median_ms"] / ours["median_ms"], "fettle_mib": ours["peak_bytes"] / 2**20,
            "ort_mib": theirs["peak_bytes"] / 2**20}


def table(rows):
    lines = ["| model | fettle ms | ONNX Runtime ms | ratio | fettle MiB | ONNX Runtime MiB |", "|---|---:|---:|---:|---:|---:|"]
    for r in rows:
        lines.append(f"| {r['name']} | {r['fettle_ms']:.3f} | {r['ort_ms']:.3f} | {r['ratio']:.2f} | "
                     f"{r['fettle_mib']:.1f} | {r['ort_mib']:.1f} |")
    ratios = [r["ratio"] for r in rows]
    more = [r["name"] for r in rows if r["fettle_mib"] > r["ort_mib"]]
    lines += ["", f"{len(rows)} models; geometric mean of the ratio {geometric_mean(ratios):.3f}, least "
              f"{min(ratios, default=0):.2f}; geometric mean of peak memory, fettle to ONNX Runtime, "
              f"{geometric_mean([r['fettle_mib'] / r['ort_mib'] for r in rows]):.2f}; more memory than ONNX Runtime: "
              f"{', '.join(more) if more else 'none'}."]
    return "\n".join(lines)


def summary(tables, slower, failed):
    """What misses the targets, one line each."""
    lines = []
    for kind, rows in tables.items():
        below = [f"{r['name']} {r['ratio']:.2f}" for r in rows if r["ratio"] < LEAST[kind]]
        if rows:
            lines.append(f"{kind} ratio below {LEAST[kind]}: {len(below)} of {len(rows)}"
                         f"{': ' + ', '.join(below) if below else ''}")
    if tables["float32"] and tables["int8"]:
        lines.append(f"INT8 slower than float32 in fettle, of models with convolutions: {len(slower)}"
                     f"{': ' + ', '.join(slower) if slower else ''}")
    lines.append(f"failed: {', '.join(failed) if failed else 'none'}")
    return lines


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    sets = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f" {f} " in flags + " "]
    return f"{model}, {', '.join(sets)}"


def replace_section(document, key, text):
    """Replaces what lies between <!-- key --> and <!-- /key -->."""
    pattern = re.compile(f"(<!-- {key} -->\n).*?(<!-- /{key} -->)", re.S)
    if not pattern.search(document):
        sys.exit(f"the document has no section {key}")
    return pattern.sub(lambda m: m.group(1) + text + "\n" + m.group(2), document)


def compare(subject, arguments, folder):
    """Rows by format."""
    paths = {"float32": None if subject.name in QUANTIZED else subject.path}
    if arguments.format != "float32":
        paths["int8"] = quantized(arguments.binary, subject, folder, arguments.threads)
    found = {}
    for kind, path in paths.items():
        if path is None or arguments.format not in (kind, "both"):
            continue
        r = row(subject.name, measure(arguments.binary, path, subject.data, arguments.threads, arguments.runs))
        print(f"{subject.name:32} {kind:8} {r['fettle_ms']:9.3f} {r['ort_ms']:9.3f} ms  {r['ratio']:5.2f}   "
              f"{r['fettle_mib']:7.1f} {r['ort_mib']:7.1f} MiB", flush=True)
        found[kind] = r
    return found


def write_document(arguments, texts, slower):
    document = open(arguments.write).read()
    for kind, text in texts.items():
        document = replace_section(document, kind, text)
    if arguments.format == "both":
        document = replace_section(document, "slower", ", ".join(slower) if slower else "none")
    document = replace_section(document, "machine",
                               f"{machine()}; {arguments.threads} threads; ONNX Runtime {onnxruntime.__version__}")
    with open(arguments.write, "w") as f:
        f.write(document)


def run(arguments, folder):
    """Measures and reports; returns the names of what failed."""
    os.makedirs(folder, exist_ok=True)
    tables, slower, failed = {"float32": [], "int8": []}, [], []
    wanted = set(arguments.models)
    chosen = [s for s in subjects(folder, wanted) if not wanted or s.name in wanted]
    unknown = wanted - {s.name for s in chosen}
    if unknown:
        sys.exit(f"no such models: {', '.join(sorted(unknown))}")
    for subject in chosen:
        try:
            found = compare(subject, arguments, folder)
        except (RuntimeError, KeyError) as error:
            print(f"{subject.name:32} FAILED: {error}", flush=True)
            failed.append(subject.name)
            continue
        for kind, r in found.items():
            tables[kind].append(r)
        if len(found) == 2 and subject.convolves() and found["int8"]["fettle_ms"] > found["float32"]["fettle_ms"]:
            slower.append(subject.name)
    texts = {kind: table(rows) for kind, rows in tables.items() if rows}
    for kind, text in texts.items():
        print(f"\n{kind}: {text.splitlines()[-1]}")
    print("\n" + "\n".join(summary(tables, slower, failed)))
    if arguments.write:
        write_document(arguments, texts, slower)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--format", choices=["float32", "int8", "both"], default="both")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--keep", help="keep what is made here in this folder")
    parser.add_argument("--write", help="replace the tables in this document")
    arguments = parser.parse_args()
    os.environ.setdefault("FETTLE_ORT_LIBRARY", next(
        os.path.join(d, f) for d, _, files in os.walk(os.path.dirname(onnxruntime.__file__)) for f in files
        if f.startswith("libonnxruntime.so")))
    with tempfile.TemporaryDirectory() as scratch:
        return 1 if run(arguments, arguments.keep or scratch) else 0


if __name__ == "__main__":
    sys.exit(main())
