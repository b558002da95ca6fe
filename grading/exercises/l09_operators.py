"""The reference solutions of the exercises of l09_operators, from the definitions of their inputs in projectkit.submit."""

import numpy as np

from projectkit.types import Arrays

EPSILON = 1e-3
BYTES = 4  # of a float32
LINE = 64  # bytes


def _merge_branches(inputs: Arrays) -> Arrays:
    arrays = {name: array.astype(np.float64) for name, array in inputs.items()}
    kernel, bias = np.zeros((3, 3, 4, 4)), np.zeros(4)
    for branch, place in (("wide", (slice(None), slice(None))), ("narrow", (slice(1, 2), slice(1, 2)))):
        gamma, beta, mean, variance = arrays[f"{branch}_norm"]
        factor = gamma / np.sqrt(variance + EPSILON)
        kernel[place] += arrays[branch] * factor
        bias += beta - mean * factor
    kernel[1, 1] += np.eye(4)  # the input itself
    return {"kernel": kernel, "bias": bias, "macs": np.array([9 * 16 + 16, 9 * 16])}


def _im2col(inputs: Arrays) -> Arrays:
    x, kernel, stride = inputs["x"].astype(np.float64), inputs["kernel"].astype(np.float64), int(inputs["stride"])
    steps = range(0, x.shape[0] - 2, stride)
    patches = [x[row : row + 3, column : column + 3] for row in steps for column in steps]
    y = [np.tensordot(patch, kernel, axes=3) for patch in patches]
    columns = np.array([patch.ravel() for patch in patches])
    return {"columns": columns, "y": np.array(y).reshape(len(steps), len(steps), -1), "copies": np.array(columns.size / x.size)}


def _winograd(inputs: Arrays) -> Arrays:
    tile, kernel = inputs["tile"].astype(np.float64), inputs["kernel"].astype(np.float64)
    b = np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], dtype=np.float64).T
    g = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    height, width, channels_in, channels_out = inputs["sizes"].tolist()
    # The outputs directly from the definition of a convolution: Winograd's are the same.
    y = [[np.sum(tile[row : row + 3, column : column + 3] * kernel) for column in range(2)] for row in range(2)]
    pairs = channels_in * channels_out
    return {
        "seen": b.T @ tile @ b,
        "filter": g @ kernel @ g.T,
        "y": np.array(y),
        "multiplications": np.array([9 * height * width * pairs, 16 * (height // 2) * (width // 2) * pairs]),
    }


def _separable_cost(inputs: Arrays) -> Arrays:
    parameters, macs, moved = [], [], []
    for height, width, before, after, kernel in inputs["layers"].tolist():
        positions = height * width
        full, depthwise, pointwise = kernel**2 * before * after, kernel**2 * before, before * after
        parameters.append((full, depthwise + pointwise))
        macs.append((positions * full, positions * (depthwise + pointwise)))
        ends = positions * (before + after)
        moved.append((BYTES * (ends + full), BYTES * (ends + 2 * positions * before + depthwise + pointwise)))
    found = {"parameters": np.array(parameters), "macs": np.array(macs), "moved": np.array(moved)}
    return found | {"intensity": found["macs"] / found["moved"]}


def _layouts(inputs: Arrays) -> Arrays:
    _, height, width, channels = inputs["shape"].tolist()
    nhwc = BYTES * np.array([height * width * channels, width * channels, channels, 1])
    nchw = BYTES * np.array([height * width * channels, width, 1, height * width])
    lines = [len({channel * stride[-1] // LINE for channel in range(channels)}) for stride in (nhwc, nchw)]
    places = inputs["places"]
    return {
        "strides_nhwc": nhwc,
        "strides_nchw": nchw,
        "offset_nhwc": places @ nhwc,
        "offset_nchw": places @ nchw,
        "lines": np.array(lines),
    }


def _roofline(inputs: Arrays) -> Arrays:
    peaks, bandwidth, measured = inputs["peaks"], float(inputs["bandwidth"]), inputs["seconds"]
    computing, moving = inputs["macs"] / peaks[inputs["narrow"]], inputs["moved"] / bandwidth
    least = np.where(moving > computing, moving, computing)
    return {
        "ridge": peaks / bandwidth,
        "least": least,
        "memory": (moving > computing).astype(np.int64),
        "share": least / measured,
        "gain": measured.sum() / least.sum(),
    }


SOLUTIONS = {
    "merge_branches": _merge_branches,
    "im2col": _im2col,
    "winograd": _winograd,
    "separable_cost": _separable_cost,
    "layouts": _layouts,
    "roofline": _roofline,
}
