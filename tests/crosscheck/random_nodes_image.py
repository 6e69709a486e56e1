"""Random nodes on images and signals."""
import numpy as np

from random_draw import INTS, Node, rows
from random_nodes_window import window


def resize(d, op):
    spatial = d.pick([2, 2, 2, 1, 3])
    x = d.value(shape=(d.int(1, 2), d.int(1, 3)) + tuple(d.int(2, 6) for _ in range(spatial)))
    shape = d.data(x).shape
    mode = d.pick(["nearest", "linear"] + (["cubic"] if d.opset >= 11 and spatial == 2 else []))
    scales = np.array([1, 1] + [d.pick([0.5, 1.5, 2, 2.5, 3]) for _ in range(spatial)], np.float32)
    if d.opset < 11:
        return Node(op, [x, d.constant(scales)], {"mode": mode})
    attributes = {"mode": mode, "coordinate_transformation_mode": d.pick(
        ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"] + (["half_pixel_symmetric"] if d.opset >= 19 else []))}
    if mode == "nearest":
        attributes["nearest_mode"] = d.pick(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
    if mode == "cubic":
        attributes["cubic_coeff_a"] = d.pick([-0.75, -0.5])
        if d.chance(0.3):
            attributes["exclude_outside"] = 1
    elif d.opset >= 18 and mode == "linear" and d.chance(0.3):
        attributes["antialias"] = 1
    absent = "" if d.opset >= 13 else d.add_constant(np.zeros(0, np.float32))
    if d.chance(0.5):
        sizes = shape[:2] + tuple(d.int(1, 9) for _ in range(spatial))
        return Node(op, [x, absent, absent, d.constant(np.array(sizes, np.int64))], attributes)
    if attributes["coordinate_transformation_mode"] == "align_corners":
        # The conformance cases align the corners of extent * scale, ONNX Runtime those of the whole output.
        scales = np.array([1, 1] + [d.pick([k / s for k in range(1, 10) if np.float32(k / s) * s == k]) for s in shape[2:]], np.float32)
    return Node(op, [x, absent, d.constant(scales)], attributes)


def upsample(d, op):
    x = d.value(shape=(d.int(1, 2), d.int(1, 3), d.int(1, 5), d.int(1, 5)))
    scales = [1.0, 1.0] + [float(d.int(1, 3)) for _ in range(2)]
    mode = {"mode": d.pick(["nearest", "linear"])}
    if d.opset < 9:
        return Node(op, [x], mode | {"scales": scales})
    return Node(op, [x, d.constant(np.array(scales, np.float32))], mode)


def grid_sample(d, op):
    spatial = 3 if d.opset >= 20 and d.chance(0.3) else 2
    x = d.value(shape=(d.int(1, 2), d.int(1, 3)) + tuple(d.int(2, 5) for _ in range(spatial)))
    grid = d.rng.random((d.data(x).shape[0],) + tuple(d.int(1, 4) for _ in range(spatial)) + (spatial,)) * 2.6 - 1.3
    modes = ["linear", "nearest"] + (["cubic"] if spatial == 2 else []) if d.opset >= 20 else ["bilinear", "nearest", "bicubic"]
    return Node(op, [x, d.add_input(grid.astype(np.float32))], {"mode": d.pick(modes),
                                             "padding_mode": d.pick(["zeros", "border", "reflection"]),
                                             "align_corners": d.int(0, 1)})


def roi_align(d, op):
    x = d.value(shape=(2, d.int(1, 3), d.int(4, 7), d.int(4, 7)))
    count = d.int(1, 3)
    corner = d.rng.random((count, 2)) * 3
    rois = np.concatenate([corner, corner + 0.5 + d.rng.random((count, 2)) * 3], 1).astype(np.float32)
    return Node(op, [x, d.add_input(rois), d.add_input(d.array(np.int64, (count,), 0, 1))],
                {"output_height": d.int(1, 3), "output_width": d.int(1, 3), "sampling_ratio": d.int(0, 3),
                 "mode": d.pick(["avg", "max"]), "spatial_scale": d.pick([1.0, 0.5]),
                 "coordinate_transformation_mode": d.pick(["half_pixel", "output_half_pixel"])})


def affine_grid(d, op):
    spatial = d.int(2, 3)
    theta = d.value(shape=(d.int(1, 3), spatial, spatial + 1))
    align = d.int(0, 1)
    # One aligned position is the middle; ONNX Runtime takes the first corner.
    size = (d.data(theta).shape[0], d.int(1, 3)) + tuple(d.int(1 + align, 4) for _ in range(spatial))
    return Node(op, [theta, d.ints(*size)], {"align_corners": align})


def max_roi_pool(d, op):
    x = d.value(shape=(2, d.int(1, 3), d.int(4, 7), d.int(4, 7)))
    corner = d.rng.integers(0, 3, (d.int(1, 3), 2))
    rois = np.concatenate([d.rng.integers(0, 2, (len(corner), 1)), corner, corner + d.rng.integers(1, 4, corner.shape)], 1)
    return Node(op, [x, d.add_input(rois.astype(np.float32))],
                {"pooled_shape": [d.int(1, 3), d.int(1, 3)], "spatial_scale": d.pick([1.0, 0.5])})


def deform_conv(d, op):
    attributes, extents = window(d, 2)
    attributes.pop("auto_pad", None)
    group, offset_group = d.pick([1, 1, 2]), d.pick([1, 2])
    channels, maps = 2 * d.int(1, 2), 2 * d.int(1, 2)
    kernel, pads = attributes["kernel_shape"], attributes.setdefault("pads", [0] * 4)
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    out = tuple((extents[i] + pads[i] + pads[i + 2] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1 for i in range(2))
    batch, taps = d.int(1, 2), offset_group * kernel[0] * kernel[1]
    inputs = [d.value(shape=(batch, channels) + extents), d.constant(d.array(np.float32, (maps, channels // group, *kernel))),
              d.value(shape=(batch, 2 * taps) + out, low=-2, high=2), d.constant(d.array(np.float32, (maps,))) if d.chance(0.5) else "",
              d.value(shape=(batch, taps) + out) if d.chance(0.5) else ""]
    return Node(op, inputs, attributes | {"group": group, "offset_group": offset_group})


def col2im(d, op):
    attributes, extents = window(d, 2)  # ONNX Runtime mixes up the channels of other ranks
    kernel = attributes.pop("kernel_shape")
    attributes.pop("auto_pad", None)
    rank = len(kernel)
    pads = attributes.get("pads", [0] * 2 * rank)
    strides, dilations = attributes.get("strides", [1] * rank), attributes.get("dilations", [1] * rank)
    places = int(np.prod([(extents[i] + pads[i] + pads[i + rank] - (kernel[i] - 1) * dilations[i] - 1) // strides[i] + 1
                          for i in range(rank)]))
    x = d.value(shape=(d.int(1, 2), d.int(1, 3) * int(np.prod(kernel)), places))
    return Node(op, [x, d.ints(*extents), d.ints(*kernel)], attributes)


def dft(d, op):
    shape = d.shape(1, 3, 7)
    real = d.chance(0.6)
    x = d.value(d.pick((np.float32, np.float32, np.float64)), shape=(d.int(1, 2),) + shape + ((1,) if real else (2,)))
    rank = len(shape) + 2
    axis = d.int(1, rank - 2)
    inverse = 0 if real else d.int(0, 1)
    attributes = {"inverse": inverse, "onesided": d.int(0, 1) if real else 0}
    length = d.ints(d.int(1, 9)) if d.chance(0.4) else ""
    length = d.constant(np.array(d.int(1, 9), np.int64)) if length else ""
    if d.opset < 20:
        return Node(op, [x, length], attributes | {"axis": axis})
    return Node(op, [x, length, d.constant(np.array(d.pick([axis, axis - rank]), np.int64))], attributes)


def stft(d, op):
    length, frame, step = d.int(8, 20), d.int(2, 8), d.int(1, 4)
    real = d.chance(0.7)
    x = d.value(shape=(d.int(1, 2), length, 1 if real else 2))
    window_ = d.constant(d.array(np.float32, (frame,), 0, 1)) if d.chance(0.6) else ""
    return Node(op, [x, d.constant(np.array(step, np.int64)), window_, d.constant(np.array(frame, np.int64))],
                {"onesided": d.int(0, 1) if real else 0})


def window_function(d, op):
    size = d.int(2, 12)  # the formula of a symmetric window of one element is 0/0
    return Node(op, [d.constant(np.array(size, d.pick(INTS)))], d.optional(periodic=d.int(0, 1), output_datatype=d.pick([1, 11])))


def mel_weights(d, op):
    values = [np.array(v) for v in (d.int(2, 10), d.pick([16, 32, 64]), d.pick([8000, 16000]))]
    edges = [np.array(v, np.float32) for v in (d.int(0, 200), d.int(2000, 4000))]
    return Node(op, [d.constant(v.astype(np.int64)) for v in values] + [d.constant(e) for e in edges])


TABLE = [
    *rows("Resize", resize, steps=True), *rows("Upsample", upsample), *rows("GridSample", grid_sample), *rows("AffineGrid", affine_grid),
    *rows("RoiAlign", roi_align), *rows("MaxRoiPool", max_roi_pool), *rows("DeformConv", deform_conv), *rows("Col2Im", col2im),
    *rows("DFT", dft), *rows("STFT", stft), *rows("BlackmanWindow HammingWindow HannWindow", window_function),
    *rows("MelWeightMatrix", mel_weights),
]
