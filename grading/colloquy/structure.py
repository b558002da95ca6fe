"""Computed questions on what a network is made of: parameters, multiply-accumulates (MACs), memory, folding."""

import math

from grading.colloquy.draw import Draw
from grading.colloquy.formula import show
from grading.colloquy.types import KNOWS, MADE, MEASURES, Computed, Problem


def convolution_parameters(draw: Draw) -> Problem:
    k, inputs, filters = draw.choice((3, 5, 7)), draw.integer(3, 96), draw.integer(8, 128)
    answer = k * k * inputs * filters + filters
    return Problem(
        {"k": k, "inputs": inputs, "filters": filters},
        f"How many parameters has a {k}×{k} convolution from {inputs} to {filters} channels, biases included?",
        answer,
        f"{k} · {k} · {inputs} · {filters} + {filters} = {answer}.",
        {
            "left out the biases": answer - filters,
            "gave each input channel a bias": answer - filters + inputs,
            "one kernel for all input channels": k * k * filters + filters,
        },
    )


def convolution_macs(draw: Draw) -> Problem:
    side, inputs, filters = draw.choice((16, 24, 28, 32, 48, 56)), draw.integer(8, 64), draw.integer(8, 96)
    half = side // 2
    answer = half * half * 9 * inputs * filters
    return Problem(
        {"side": side, "inputs": inputs, "filters": filters},
        f"A 3×3 convolution with stride 2 and same padding takes a {side}×{side}×{inputs} input to {filters} channels. How many "
        "MACs is that, biases left out?",
        answer,
        f"The output is {half}×{half}, so {half} · {half} · 3 · 3 · {inputs} · {filters} = {answer}.",
        {"ignored the stride": 4 * answer, "counted FLOPs, two a MAC": 2 * answer, "ignored the input channels": answer / inputs},
    )


def separable_parameters(draw: Draw) -> Problem:
    k, inputs, filters = draw.choice((3, 5)), draw.integer(16, 128), draw.integer(16, 256)
    answer = k * k * inputs + inputs * filters
    return Problem(
        {"k": k, "inputs": inputs, "filters": filters},
        f"How many parameters has a depthwise separable convolution without biases: {k}×{k} depthwise on {inputs} channels, "
        f"then 1×1 to {filters} channels?",
        answer,
        f"{k} · {k} · {inputs} + {inputs} · {filters} = {answer}.",
        {"counted a plain convolution": k * k * inputs * filters, "forgot the 1×1 part": k * k * inputs},
    )


def separable_ratio(draw: Draw) -> Problem:
    k, inputs, filters = draw.choice((3, 5, 7)), draw.integer(16, 128), draw.integer(16, 256)
    answer = 1 / (1 / filters + 1 / k**2)
    return Problem(
        {"k": k, "inputs": inputs, "filters": filters},
        f"A {k}×{k} convolution from {inputs} to {filters} channels becomes depthwise separable, at the same resolution. By "
        "which factor does the number of MACs fall?",
        answer,
        f"k²·C·F / (k²·C + C·F) = 1 / (1/{filters} + 1/{k * k}) = {show(answer)}.",
        {"left out the 1×1 part": float(filters), "left out the depthwise part": float(k * k), "turned the ratio": 1 / answer},
    )


def dense_parameters(draw: Draw) -> Problem:
    side, channels, hidden, classes = draw.integer(4, 9), draw.integer(8, 64), draw.integer(32, 256), draw.choice((10, 20, 100))
    flat = side * side * channels
    answer = (flat + 1) * hidden + (hidden + 1) * classes
    return Problem(
        {"side": side, "channels": channels, "hidden": hidden, "classes": classes},
        f"A {side}×{side}×{channels} feature map is flattened and goes through dense layers of {hidden} and {classes} units "
        "with biases. How many parameters have the two layers?",
        answer,
        f"({flat} + 1) · {hidden} + ({hidden} + 1) · {classes} = {answer}.",
        {
            "left out the biases": flat * hidden + hidden * classes,
            "pooled instead": (channels + 1) * hidden + (hidden + 1) * classes,
        },
    )


def output_size(draw: Draw) -> Problem:
    n, k, s, p = draw.integer(60, 230), draw.choice((3, 5, 7, 11)), draw.choice((2, 3, 4)), draw.integer(1, 3)
    answer = (n + 2 * p - k) // s + 1
    return Problem(
        {"n": n, "k": k, "s": s, "p": p},
        f"An input {n} pixels wide is padded by {p} on each side and convolved with kernel {k} and stride {s}. How many pixels "
        "wide is the output?",
        answer,
        f"⌊({n} + 2·{p} − {k}) / {s}⌋ + 1 = {answer}.",
        {"forgot the + 1": answer - 1, "padded one side only": (n + p - k) // s + 1, "divided by the stride": math.ceil(n / s)},
    )


def receptive_field(draw: Draw) -> Problem:
    kernels, strides = tuple(draw.choice((3, 5, 7)) for _ in range(3)), tuple(draw.choice((1, 2, 3)) for _ in range(2))
    answer = kernels[0] + (kernels[1] - 1) * strides[0] + (kernels[2] - 1) * strides[0] * strides[1]
    return Problem(
        {"kernels": kernels, "strides": strides},
        f"Three convolutions follow each other: kernel {kernels[0]} with stride {strides[0]}, kernel {kernels[1]} with stride "
        f"{strides[1]}, kernel {kernels[2]} with stride 1. How many input pixels wide is the receptive field of one output?",
        answer,
        f"{kernels[0]} + ({kernels[1]} − 1)·{strides[0]} + ({kernels[2]} − 1)·{strides[0]}·{strides[1]} = {answer}.",
        {
            "ignored the strides": sum(kernels) - 2,
            "multiplied the kernels": math.prod(kernels),
            "added the kernels": sum(kernels),
        },
    )


def activation_memory(draw: Draw) -> Problem:
    side, inputs, filters = draw.choice((20, 24, 28, 32, 40, 48)), draw.integer(3, 32), draw.integer(33, 96)
    answer = side * side * (inputs + filters) / 1024
    return Problem(
        {"side": side, "inputs": inputs, "filters": filters},
        f"On a microcontroller, an int8 convolution reads a {side}×{side}×{inputs} map and writes a {side}×{side}×{filters} map "
        "that may not overlap it. How many KiB (1024 bytes) of RAM do the two take?",
        answer,
        f"{side}·{side}·({inputs} + {filters}) bytes / 1024 = {show(answer)} KiB.",
        {
            "took float32": 4 * answer,
            "left out the input": side * side * filters / 1024,
            "multiplied": side**2 * inputs * filters / 1024,
        },
    )


def _normalization(draw: Draw) -> tuple[float, float, float, float]:
    return draw.decimal(0.4, 2.5, 2), draw.decimal(-1.5, 1.5, 2), draw.decimal(-2.0, 2.0, 2), draw.decimal(0.1, 6.0, 2)


def folded_weight(draw: Draw) -> Problem:
    gamma, _, _, variance = _normalization(draw)
    weight = draw.decimal(0.05, 0.9, 2) * draw.choice((-1, 1))
    answer = weight * gamma / math.sqrt(variance)
    return Problem(
        {"weight": weight, "gamma": gamma, "variance": variance},
        f"Batch normalization with γ = {gamma} and moving variance {variance} (ε neglected) follows a convolution. What does "
        f"the weight {weight} of that channel become when the two are folded into one?",
        answer,
        f"w' = w·γ / √σ² = {weight} · {gamma} / √{variance} = {show(answer)}.",
        {"divided by the variance": weight * gamma / variance, "left out γ": weight / math.sqrt(variance)},
    )


def folded_bias(draw: Draw) -> Problem:
    gamma, beta, mean, variance = _normalization(draw)
    bias = draw.decimal(-0.9, 0.9, 2)
    answer = beta + (bias - mean) * gamma / math.sqrt(variance)
    return Problem(
        {"bias": bias, "gamma": gamma, "beta": beta, "mean": mean, "variance": variance},
        f"A channel of a convolution has the bias {bias}; batch normalization follows with γ = {gamma}, β = {beta}, moving mean "
        f"{mean} and moving variance {variance} (ε neglected). What is the bias of the folded convolution?",
        answer,
        f"b' = β + (b − μ)·γ / √σ² = {beta} + ({bias} − ({mean})) · {gamma} / √{variance} = {show(answer)}.",
        {
            "left out the mean": beta + bias * gamma / math.sqrt(variance),
            "kept the old bias beside it": beta + bias - mean * gamma / math.sqrt(variance),
            "divided by the variance": beta + (bias - mean) * gamma / variance,
        },
    )


def attention_macs(draw: Draw) -> Problem:
    tokens, width, heads = draw.choice((64, 100, 144, 196, 256)), draw.choice((64, 96, 128, 192, 384)), draw.choice((2, 4, 8))
    answer = 2 * tokens * tokens * width
    return Problem(
        {"tokens": tokens, "width": width, "heads": heads},
        f"Self-attention over {tokens} tokens of width {width}, split over {heads} heads: how many MACs do the scores Q·K^[T] "
        "and the weighted sum of V take together (all heads; no projections, no softmax)?",
        answer,
        f"Each takes {tokens}² · {width} whatever the number of heads, together 2 · {tokens}² · {width} = {answer}.",
        {"counted the scores only": answer / 2, "once for every head": heads * answer, "turned the roles": 2 * tokens * width**2},
    )


QUESTIONS = (
    Computed("convolution-parameters", "structure", "l09", 1, KNOWS, 1, convolution_parameters, whole=True),
    Computed("convolution-macs", "structure", "l09", 10, KNOWS, 2, convolution_macs, "MAC", True),
    Computed("separable-parameters", "structure", "l09", 10, KNOWS, 1, separable_parameters, whole=True),
    Computed("separable-ratio", "structure", "l09", 10, MEASURES, 2, separable_ratio),
    Computed("dense-parameters", "structure", "l00", 1, KNOWS, 1, dense_parameters, whole=True),
    Computed("output-size", "structure", "l09", 7, KNOWS, 1, output_size, whole=True),
    Computed("receptive-field", "structure", "l09", 7, KNOWS, 2, receptive_field, whole=True),
    Computed("activation-memory", "structure", "l10", 11, MEASURES, 1, activation_memory, "KiB"),
    Computed("folded-weight", "structure", "l09", 10, MADE, 1, folded_weight),
    Computed("folded-bias", "structure", "l09", 10, MADE, 2, folded_bias),
    Computed("attention-macs", "structure", "l00", 1, KNOWS, 2, attention_macs, "MAC", True),
)
