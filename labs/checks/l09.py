"""Checks of l09_operators."""

from contextlib import closing

import numpy as np

from checks import close, reached, right
from projectkit import measure, runtimes


def fold(student) -> None:
    """student(kernel, gamma, beta, mean, variance, epsilon) -> (kernel, bias)"""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 2, 4))
    gamma, beta, mean, variance = rng.uniform(0.5, 2, 4), rng.normal(size=4), rng.normal(size=4), rng.uniform(0.1, 3, 4)
    before = kernel.copy()
    folded, bias = student(kernel, gamma, beta, mean, variance, 0.01)
    assert np.array_equal(kernel, before), "The kernel that was handed in has changed: return a new one."
    x = rng.normal(size=(3, 3, 2))
    norm = gamma * (np.tensordot(x, kernel, 3) - mean) / np.sqrt(variance + 0.01) + beta
    close(
        np.tensordot(x, folded, 3) + bias,
        norm,
        "convolution and bias",
        "s = gamma / √(variance + epsilon); kernel · s (the channels out are the last axis), bias beta − mean · s.",
    )
    right("one convolution gives the same output as convolution and batch normalization.")


def merge(student) -> None:
    """student(wide, narrow, same) -> (kernel, bias)"""
    rng = np.random.default_rng(1)
    wide, narrow = (rng.normal(size=(3, 3, 4, 4)), rng.normal(size=4)), (rng.normal(size=(1, 1, 4, 4)), rng.normal(size=4))
    before = wide[0].copy()
    x = rng.normal(size=(3, 3, 4))
    for same in (False, True):
        kernel, bias = student(wide, narrow, same)
        assert np.array_equal(wide[0], before), "The 3×3 kernel that was handed in has changed: work on a copy."
        expected = np.tensordot(x, wide[0], 3) + wide[1] + x[1, 1] @ narrow[0][0, 0] + narrow[1] + (x[1, 1] if same else 0)
        close(
            np.tensordot(x, kernel, 3) + bias,
            expected,
            f"same={same}",
            "The 1×1 kernel belongs at [1, 1], the middle; with `same` np.eye(channels) is added there, too; biases add up.",
        )
    right("three branches are one convolution.")


def same_answers(model, merged, x) -> None:
    """Two Keras networks, on images x."""
    apart = np.abs(model.predict(x, verbose=0) - merged.predict(x, verbose=0)).max()
    assert apart < 1e-3, (
        f"The merged network's logits are up to {apart:.2g} off. Is each branch folded with its own normalization, and the input "
        "added only where the channels stay?"
    )
    right(f"the logits differ by {apart:.1e} at most.")


def same_file_answers(one, other, x) -> None:
    """Two artifacts, on images x."""
    with closing(runtimes.open(one)) as first, closing(runtimes.open(other)) as second:
        apart = np.abs(first.run(x) - second.run(x)).max()
    assert apart == 0, f"The two files' answers differ by {apart}."


def costs(student) -> None:
    """student(height, width, c, d, k) -> ((parameters, MACs, bytes), (parameters, MACs, bytes))"""
    found = np.array(student(2, 3, 4, 5, 3))
    assert found.shape == (2, 3), f"Expected two triples (parameters, MACs, bytes), got shape {found.shape}."
    expected = [[180, 1080, 4 * (24 + 180 + 30)], [56, 336, 4 * (24 + 36 + 24 + 24 + 20 + 30)]]
    hints = (
        "parameters: k²·c·d, and k²·c + c·d.",
        "MACs: the weights at each of the height·width positions.",
        "bytes: 4 · (input + weights + output); of the pair also what is between, height·width·c numbers, written and read.",
    )
    for column, hint in enumerate(hints):
        assert found[:, column].tolist() == [row[column] for row in expected], (
            f"2×3 positions, 4 → 5 channels, 3×3: you have {found[:, column].tolist()}, expected "
            f"{[row[column] for row in expected]}. {hint[0].upper()}{hint[1:]}"
        )
    right("an eighth of the work, but not an eighth of the bytes.")


def separable(artifact, full, accuracy: float, before: float) -> None:
    """The separable network's file and the full one's; accuracies on the validation images."""
    kinds = [operator.kind for operator in measure.read_operators(artifact)]
    assert kinds.count("DEPTHWISE_CONV_2D") >= 5, (
        f"The file has {kinds.count('DEPTHWISE_CONV_2D')} depthwise convolutions, expected one per block (but for the first, "
        "which reads one channel: the converter may write it as a full one)."
    )
    share = measure.read_graph(artifact).macs / measure.read_graph(full).macs
    assert share < 0.25, f"It does {share:.0%} of the multiplications of the full network, expected less than a quarter."
    reached(
        accuracy > before - 0.05,
        f"It is right on {accuracy:.1%}, the full network on {before:.1%}: train it longer.",
        accuracy,
        before,
    )
    right(f"{share:.0%} of the multiplications, {accuracy:.1%} against {before:.1%}.")


def im2col(student) -> None:
    """student(x) -> (positions, 9 · c)"""
    x = np.arange(4 * 5 * 2, dtype=np.float32).reshape(4, 5, 2)
    found = np.asarray(student(x))
    assert found.shape == (6, 18), f"4×5 pixels have 2×3 positions of 3×3; expected (6, 18) for 2 channels, got {found.shape}."
    close(
        found[0], x[:3, :3].ravel(), "the first row", "What the kernel sees at the top left, in the order row, column, channel."
    )
    close(
        found[4], x[1:4, 1:4].ravel(), "the fifth row", "Positions go along the rows of the image: the fifth is row 1, column 1."
    )
    right("the convolution is a matrix product now.")


def winograd_tile(student) -> None:
    """student(tile, kernel) -> (2, 2)"""
    rng = np.random.default_rng(2)
    tile, kernel = rng.normal(size=(4, 4)), rng.normal(size=(3, 3))
    expected = [[np.sum(tile[i : i + 3, j : j + 3] * kernel) for j in range(2)] for i in range(2)]
    close(
        student(tile, kernel),
        expected,
        "the four outputs",
        "A.T @ ((G @ kernel @ G.T) * (B.T @ tile @ B)) @ A; * is element by element.",
        tolerance=1e-5,
    )
    right("16 multiplications instead of 36.")


def convolution(found, x, kernel, name: str) -> None:
    """An output (height − 2, width − 2, d) of the convolution of x with kernel, held against its definition at a few places."""
    assert found.shape == (x.shape[0] - 2, x.shape[1] - 2, kernel.shape[3]), f"{name}: shape {found.shape}."
    height, width = found.shape[:2]
    for row, column in ((0, 0), (height // 2, width // 3), (height - 1, width - 1)):
        expected = np.tensordot(x[row : row + 3, column : column + 3], kernel, 3)
        assert np.allclose(found[row, column], expected, rtol=1e-3, atol=1e-4), f"{name}: another answer at ({row}, {column})."


def strides(student) -> None:
    """student(shape, order) -> bytes along each axis"""
    for shape, order in (((2, 3, 4, 5), (0, 1, 2, 3)), ((2, 3, 4, 5), (0, 3, 1, 2)), ((6, 7), (1, 0))):
        array = np.zeros([shape[axis] for axis in order], np.float32)
        expected = [array.strides[order.index(axis)] for axis in range(len(shape))]
        found = [int(step) for step in student(shape, order)]
        assert found == expected, (
            f"Shape {shape}, order {order}: you have {found}, expected {expected}. The last axis of `order` steps 4 bytes; the "
            "answer is in the order of `shape`."
        )
    right("NumPy has the same strides.")


def least_seconds(student) -> None:
    """student(macs, moved, peak, bandwidth) -> (seconds, waits for memory)"""
    for macs, moved, expected, memory in ((8e6, 1e3, 4e-3, False), (1e3, 6e6, 2e-3, True), (0, 3e6, 1e-3, True)):
        found, waits = student(macs, moved, 2e9, 3e9)
        close(found, expected, f"{macs:g} MACs, {moved:g} bytes", "The larger of macs / peak and moved / bandwidth.")
        assert bool(waits) == memory, f"{macs:g} MACs, {moved:g} bytes: it waits for {'memory' if memory else 'arithmetic'}."
    right("the longer of the two times is the bound.")


def same_roof(student, roof, reference) -> None:
    """The student's bound against projectkit's on this machine's roofline."""
    for macs, moved in ((1e6, 1e3), (1e3, 1e6)):
        found, _ = student(macs, moved, roof.peaks["float32"], roof.bandwidth)
        close(
            found,
            reference(roof, macs, moved, "float32"),
            "on this machine's roof",
            "It was right before: run the cells in order.",
        )
