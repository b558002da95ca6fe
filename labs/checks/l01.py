"""Checks of l01_quantization."""

import numpy as np

from checks import close, reached, right
from projectkit import quantize as reference


def affine(student) -> None:
    """student(low, high) -> (scale, zero_point)"""
    for low, high, hint in (
        (-1.0, 3.0, "scale = (high − low) / 255, because 256 integers have 255 steps."),
        (0.0, 6.0, "With low = 0, real 0 is the lowest integer, −128."),
        (2.0, 5.0, "The range must contain 0: widen it to min(low, 0) … max(high, 0) before anything else."),
        (-5.0, -1.0, "The range must contain 0 on the upper side, too."),
    ):
        scale, zero_point = student(low, high)
        expected_scale, expected_zero = reference.scale_and_zero_point(low, high)
        close(scale, expected_scale, f"scale of [{low}, {high}]", hint)
        assert float(zero_point).is_integer(), (
            f"zero_point of [{low}, {high}] is {zero_point}: it must be an integer, so that real 0 is stored without an error."
        )
        assert int(zero_point) == int(expected_zero), (
            f"zero_point of [{low}, {high}] should be {int(expected_zero)}, you have {int(zero_point)}. "
            f"Solve low = scale · (−128 − zero_point) for zero_point and round it. {hint}"
        )
    right("four ranges, and real 0 is on the grid in each of them.")


def round_trip(student_quantize, student_dequantize) -> None:
    """student_quantize(x, scale, zero_point) -> int8, student_dequantize(stored, scale, zero_point) -> reals"""
    scale, zero_point = (float(number) for number in reference.scale_and_zero_point(-1.0, 3.0))
    x = np.linspace(-2, 4, 1201)
    stored = np.asarray(student_quantize(x, scale, zero_point))
    assert np.issubdtype(stored.dtype, np.integer), f"quantize must give integers, it gives {stored.dtype}. Use .astype(np.int8)."
    assert stored.min() >= -128 and stored.max() <= 127, "Clip to [−128, 127] before the cast, or values wrap around."
    assert stored[0] == -128 and stored[-1] == 127, (
        f"Values outside the range must end on its ends, −128 and 127; yours end on {stored[0]} and {stored[-1]}. "
        "Clip before the cast: int8 arithmetic wraps around."
    )
    back = np.asarray(student_dequantize(stored, scale, zero_point))
    inside = (x >= -1) & (x <= 3)
    error = np.abs(back - x)[inside].max()
    assert error <= scale * 0.51 + 1e-9, (
        f"Inside the range the round trip may be off by half a step ({scale / 2:.4f}), yours by {error:.4f}. "
        "Round, do not truncate; and subtract the zero point before you multiply."
    )
    right(f"inside the range the round trip is off by at most {error:.4f}, half a step.")


def per_channel(student) -> None:
    """student(w) -> (scales, rounded): symmetric int8, one scale per output channel (last axis)"""
    w = np.random.default_rng(0).normal(size=(3, 3, 4, 5)) * np.array([0.01, 0.1, 1.0, 3.0, 10.0])
    scales, rounded = student(w)
    close(
        scales,
        np.abs(w).max(axis=(0, 1, 2)) / 127,
        "scales",
        "One scale for each index of the last axis: the largest |w| over the other three axes, divided by 127.",
    )
    close(
        rounded,
        reference.fake_quantize(w, per_channel=True),
        "the rounded weights",
        "scales · clip(round(w / scales), −127, 127); NumPy broadcasts a (channels,) array along the last axis.",
        tolerance=1e-5,
    )
    right("every channel uses all of its 255 steps, however small its weights are.")


def observe(student) -> None:
    """student(values, share) -> (low, high): the middle `share` percent"""
    values = np.arange(1001.0)
    close(student(values, 100.0), (0.0, 1000.0), "all of 0 … 1000", "With share = 100 nothing is cut off.")
    close(
        student(values, 99.0),
        (5.0, 995.0),
        "the middle 99 % of 0 … 1000",
        "Cut half of the rest off on each side: np.percentile(values, [(100 − share) / 2, 100 − (100 − share) / 2]).",
    )
    right("1 % cut off means half a percent on each side.")


def rescued(before: float, after: float, reference_accuracy: float) -> None:
    """The accuracies of the broken int8 file, of the one after quantization-aware training, and of the float model."""
    reached(
        after > before + 0.2,
        f"The file after training is right on {after:.1%}, the broken one on {before:.1%}. Did you export the model that "
        "quantize.qat.prepare returned, after train.fit?",
        after,
        before,
    )
    reached(
        after >= reference_accuracy - 0.03,
        f"The file after training is right on {after:.1%}, the float model on {reference_accuracy:.1%}. Train a few epochs more.",
        after,
        reference_accuracy,
    )
    right(f"from {before:.1%} to {after:.1%}; the float model has {reference_accuracy:.1%}.")


def small_enough(bits: float, accuracy: float, reference_accuracy: float) -> None:
    """Bits per weight and accuracy of the file with few bits."""
    assert bits <= 5, f"Your file stores {bits:.2f} bits per weight, the goal is 5. Give more layers 4 bits, the largest first."
    reached(
        accuracy >= reference_accuracy - 0.02,
        f"The file is right on {accuracy:.1%}, the float model on {reference_accuracy:.1%}. "
        "Give the most sensitive layer 8 bits.",
        accuracy,
        reference_accuracy,
    )
    right(f"{bits:.2f} bits per weight at {accuracy:.1%}.")
