"""Computed questions on quantization: real value = scale · (integer − zero point), as LiteRT and ONNX define it."""

import math

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MADE, Computed, Problem


def _close_to_tie(value: float) -> bool:
    """Whether rounding could go either way for someone who rounded the scale first."""
    return abs(value - math.floor(value) - 0.5) < 0.15


def quantize_value(draw: Draw) -> Problem:
    scale, zero = draw.decimal(0.01, 0.09, 3), draw.integer(-60, 60) or 7
    x = draw.decimal(-2.5, 2.5, 2)
    while _close_to_tie(x / scale):
        x = draw.decimal(-2.5, 2.5, 2)
    q = round(x / scale) + zero
    return Problem(
        {"x": x, "scale": scale, "zero": zero},
        f"An int8 tensor has the scale {scale} and the zero point {zero}. Which integer stores the real value {x}?",
        max(-128, min(127, q)),
        f"q = clip(round({x} / {scale}) + ({zero}), −128, 127) = clip({q}, −128, 127) = {max(-128, min(127, q))}.",
        {"left out the zero point": round(x / scale), "subtracted the zero point": round(x / scale) - zero},
    )


def _range(draw: Draw) -> tuple[float, float]:
    return -draw.decimal(0.3, 3.0, 2), draw.decimal(0.5, 6.0, 2)


def affine_scale(draw: Draw) -> Problem:
    low, high = _range(draw)
    return Problem(
        {"low": low, "high": high},
        f"Activations lie in [{low}, {high}]. What is the scale of asymmetric int8 quantization that uses all integers from "
        "−128 to 127? Give at least 4 significant digits.",
        (high - low) / 255,
        f"scale = ({high} − ({low})) / 255 = {show((high - low) / 255)}: 256 integers have 255 steps between them.",
        {"divided by 256, the number of integers": (high - low) / 256, "took the symmetric range": max(-low, high) / 127},
    )


def zero_point(draw: Draw) -> Problem:
    low, high = _range(draw)
    while _close_to_tie(low * 255 / (high - low)):
        low, high = _range(draw)
    scale = (high - low) / 255
    zero = round(-128 - low / scale)
    return Problem(
        {"low": low, "high": high},
        f"The range [{low}, {high}] is mapped onto the int8 integers −128 to 127, ends onto ends. What is the zero point?",
        zero,
        f"scale = {show(scale)}, zero point = round(−128 − ({low}) / {show(scale)}) = {zero}.",
        {"took the unsigned range 0 to 255": round(-low / scale), "turned the sign": -zero},
    )


def symmetric_scale(draw: Draw) -> Problem:
    weights = tuple(draw.decimals(6, -0.95, 0.95, 2))
    largest = max(abs(weight) for weight in weights)
    return Problem(
        {"weights": weights},
        f"A filter has the weights {listed(weights)}. What is its scale in symmetric int8 quantization with the integers −127 "
        "to 127? Give at least 4 significant digits.",
        largest / 127,
        f"scale = max |w| / 127 = {largest} / 127 = {show(largest / 127)}.",
        {
            "divided by 128": largest / 128,
            "spread the range over 255 steps": (max(weights) - min(weights)) / 255,
            "took the mean of |w|": sum(map(abs, weights)) / 6 / 127,
        },
    )


def dequantize(draw: Draw) -> Problem:
    q, scale, zero = draw.integer(-120, 120), draw.decimal(0.002, 0.09, 3), draw.integer(-70, 70)
    value = (q - zero) * scale
    return Problem(
        {"q": q, "scale": scale, "zero": zero},
        f"An int8 tensor with the scale {scale} and the zero point {zero} holds the integer {q}. Which real value is it?",
        value,
        f"x = {scale} · ({q} − ({zero})) = {show(value)}.",
        {"left out the zero point": q * scale, "added the zero point": (q + zero) * scale},
    )


def rounding_noise(draw: Draw) -> Problem:
    low, high, bits = *_range(draw), draw.integer(4, 8)
    scale = (high - low) / (2**bits - 1)
    return Problem(
        {"low": low, "high": high, "bits": bits},
        f"Values in [{low}, {high}] are quantized with {bits} bits and all integers used. Rounding errors are uniform within "
        "one step. What is their root mean square?",
        scale / math.sqrt(12),
        f"step = {show(scale)}, root mean square = step / √12 = {show(scale / math.sqrt(12))}.",
        {"gave the largest error, half a step": scale / 2, "gave the variance": scale**2 / 12, "gave the step": scale},
    )


def accumulator(draw: Draw) -> Problem:
    a, b, summands = draw.integer(4, 8), draw.integer(3, 8), draw.integer(20, 5000)
    largest = summands * 2 ** (a + b - 2)
    bits = largest.bit_length() + 1
    return Problem(
        {"a": a, "b": b, "summands": summands},
        f"Signed {a}-bit activations (from −2^[{a - 1}]) meet signed {b}-bit weights (from −2^[{b - 1}]) in dot products of "
        f"{summands} summands. How many bits does a signed accumulator (two's complement) need so that no sum ever overflows?",
        bits,
        f"The largest sum is {summands} · 2^[{a + b - 2}] = {largest}, and 2^[{bits - 2}] ≤ {largest} < 2^[{bits - 1}]: {bits} "
        "bits with the sign.",
        {"left out the sum": a + b, "forgot the sign": bits - 1, "added the bits of the summands": a + b + summands},
    )


def integer_dot(draw: Draw) -> Problem:
    activations = tuple(draw.integer(-100, 120) for _ in range(4))
    weights = tuple(draw.integer(-90, 90) for _ in range(4))
    zero, sx, sw = draw.integer(5, 60) * draw.choice((-1, 1)), draw.decimal(0.02, 0.06, 3), draw.decimal(0.004, 0.012, 3)
    total = sum((q - zero) * w for q, w in zip(activations, weights, strict=True))
    raw = sum(q * w for q, w in zip(activations, weights, strict=True))
    return Problem(
        {"activations": activations, "weights": weights, "zero": zero, "sx": sx, "sw": sw},
        f"Activations q_[x] = {listed(activations)} have the scale {sx} and the zero point {zero}; weights q_[w] = "
        f"{listed(weights)} have the scale {sw} and the zero point 0. Which real value has their dot product?",
        sx * sw * total,
        f"{sx} · {sw} · Σ (q_[x] − ({zero})) q_[w] = {sx} · {sw} · {total} = {show(sx * sw * total)}.",
        {"left out the zero point": sx * sw * raw, "gave the accumulator": total, "left out the weights' scale": sx * total},
    )


def group_bits(draw: Draw) -> Problem:
    bits, group, scale_bits, parameters = (
        draw.choice((2, 3, 4)),
        draw.choice((16, 32, 64, 128)),
        draw.choice((16, 32)),
        2 * draw.integer(1, 6),  # even, so that groups come out whole
    )
    size = parameters * 1e6 * (bits + scale_bits / group) / 8
    plain = parameters * 1e6 * bits / 8
    return Problem(
        {"bits": bits, "group": group, "scale_bits": scale_bits, "parameters": parameters},
        f"{parameters} million weights are stored with {bits} bits each, and one {scale_bits}-bit scale for every group of "
        f"{group} weights. How many megabytes is that (1 MB = 10^[6] bytes)? Give at least 4 significant digits.",
        size / 1e6,
        f"{bits} + {scale_bits} / {group} = {show(bits + scale_bits / group)} bits a weight, times {parameters}·10^[6] / 8 bits "
        f"= {show(size / 1e6)} MB.",
        {"left out the scales": plain / 1e6, "forgot to divide by 8": size * 8 / 1e6},
    )


def clustered_size(draw: Draw) -> Problem:
    weights, clusters = draw.integer(3, 60) * 800, draw.choice((8, 16, 32, 64))
    index = clusters.bit_length() - 1
    size = (weights * index + 32 * clusters) // 8
    return Problem(
        {"weights": weights, "clusters": clusters},
        f"The {weights} float32 weights of a layer are clustered to {clusters} values. How many bytes are the indices, packed "
        "without gaps, together with the table of float32 centroids?",
        size,
        f"({weights} · log_[2] {clusters} + {clusters} · 32) / 8 = ({weights} · {index} + {32 * clusters}) / 8 = {size} bytes.",
        {"left out the centroids": weights * index // 8, "stored whole bytes": weights + 4 * clusters},
    )


QUESTIONS = (
    Computed("quantize-value", "quantization", "l01", 3, KNOWS, 1, quantize_value, whole=True),
    Computed("affine-scale", "quantization", "l01", 3, KNOWS, 1, affine_scale, relative=0.001),
    Computed("zero-point", "quantization", "l01", 3, KNOWS, 2, zero_point, whole=True),
    Computed("symmetric-scale", "quantization", "l01", 3, KNOWS, 1, symmetric_scale, relative=0.002),
    Computed("dequantize", "quantization", "l01", 3, KNOWS, 1, dequantize),
    Computed("rounding-noise", "quantization", "l01", 3, KNOWS, 2, rounding_noise),
    Computed("accumulator-bits", "quantization", "l10", 10, MADE, 3, accumulator, unit="bits", whole=True),
    Computed("integer-dot-product", "quantization", "l01", 3, MADE, 3, integer_dot),
    Computed("group-scales", "quantization", "l01", 3, MADE, 2, group_bits, unit="MB", relative=0.002),
    Computed("clustered-size", "quantization", "l02", 4, MADE, 2, clustered_size, unit="bytes", whole=True),
)
