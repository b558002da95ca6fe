"""The inputs of the exercises of l09_operators, and what is to be answered."""

import numpy as np


def merge_branches(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A block y = norm₃(conv₃ₓ₃(x)) + norm₁(conv₁ₓ₁(x)) + x without biases, padding "same", to write as one 3×3 convolution.

    `wide` (3, 3, 4, 4) and `narrow` (1, 1, 4, 4) are the kernels (height, width, in, out); `wide_norm` and `narrow_norm` (4, 4)
    have the rows γ, β, μ, σ² of the batch normalization behind each, ε = 0.001. All float32. Answers:

        kernel (3, 3, 4, 4), bias (4,)   of the convolution that gives the same y
        macs (2,) integer                multiply-accumulates at one position: of the two branches together, of the one
    """
    wide, narrow = rng.normal(0.0, 0.4, (3, 3, 4, 4)), rng.normal(0.0, 0.4, (1, 1, 4, 4))
    norms = [
        np.stack([rng.uniform(0.5, 1.5, 4), rng.normal(0.0, 0.3, 4), rng.normal(0.0, 0.5, 4), rng.uniform(0.2, 2.0, 4)])
        for _ in range(2)
    ]
    arrays = {"wide": wide, "narrow": narrow, "wide_norm": norms[0], "narrow_norm": norms[1]}
    return {name: np.round(array, 5).astype(np.float32) for name, array in arrays.items()}


def im2col(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """`x` (7, 7, 3) and `kernel` (3, 3, 3, 5) float32, (height, width, in, out), and a `stride` () int64; no padding. Answers:

    columns (positions, 27)   a row for each output position, row by row of the image; its 27 numbers are what the kernel sees
                              there, in the order (row, column, channel)
    y (rows, columns, 5)      the convolution as deep learning means it (the kernel is not flipped)
    copies ()                 how many numbers `columns` has for each number of x
    """
    return {
        "x": np.round(rng.normal(0.0, 1.0, (7, 7, 3)), 4).astype(np.float32),
        "kernel": np.round(rng.normal(0.0, 0.4, (3, 3, 3, 5)), 4).astype(np.float32),
        "stride": np.array(rng.integers(1, 3)),
    }


def winograd(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Winograd's F(2×2, 3×3): `tile` (4, 4) and `kernel` (3, 3) float32, and a layer's `sizes` (4,) int64: output height and
    width (even), channels in, channels out. With

        Bᵀ = [1 0 −1 0; 0 1 1 0; 0 −1 1 0; 0 1 0 −1],  G = [1 0 0; ½ ½ ½; ½ −½ ½; 0 0 1],  Aᵀ = [1 1 1 0; 0 1 −1 −1]

    the four outputs are Aᵀ[(G·kernel·Gᵀ) ⊙ (Bᵀ·tile·B)]A. Answers:

        seen (4, 4), filter (4, 4)    Bᵀ·tile·B and G·kernel·Gᵀ
        y (2, 2)                      the outputs
        multiplications (2,) integer  of the whole layer: direct, and in the products ⊙ (not in the transforms)
    """
    sizes = (2 * rng.integers(4, 17), 2 * rng.integers(4, 17), rng.choice([8, 16, 24]), rng.choice([8, 16, 32]))
    return {
        "tile": np.round(rng.normal(0.0, 1.0, (4, 4)), 3).astype(np.float32),
        "kernel": np.round(rng.normal(0.0, 0.5, (3, 3)), 3).astype(np.float32),
        "sizes": np.array(sizes, dtype=np.int64),
    }


def separable_cost(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Five convolutions, `layers` (5, 5) int64 with the columns output height, output width, channels in, channels out, kernel,
    and what replaces them: a depthwise convolution of the same kernel, then a 1×1 convolution. Nothing has a bias; tensors are
    float32, and input, weights and output are each moved once (of the separable pair, what is between is moved twice; stride 1,
    padding "same"). Answers, each (5, 2), the full convolution in the first column:

        parameters, macs, moved (bytes)   all integer
        intensity                         macs / moved
    """
    size = rng.choice([8, 14, 16, 24, 28, 32], 5)
    channels = rng.choice([8, 16, 24, 32, 48, 64, 96], (5, 2))
    kernel = rng.choice([3, 3, 5], 5)
    return {"layers": np.column_stack([size, size, channels, kernel]).astype(np.int64)}


def layouts(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A float32 tensor of `shape` (4,) int64, (n, height, width, channels), and `places` (6, 4) int64, six indices into it in
    this order of axes. As NHWC the last axis runs fastest; as NCHW the order in memory is n, channels, height, width. Answers,
    all integer:

        strides_nhwc (4,), strides_nchw (4,)   bytes from an element to its neighbour along n, height, width, channels
        offset_nhwc (6,), offset_nchw (6,)     bytes from the first element to each of the places
        lines (2,)                             in how many lines of 64 bytes of the memory the channels of the first pixel lie, in
                                               NHWC and in NCHW, when the tensor begins at a line
    """
    shape = [rng.integers(1, 4), rng.integers(8, 20), rng.integers(8, 20), rng.choice([3, 16, 24, 32, 48])]
    places = np.column_stack([rng.integers(0, size, 6) for size in shape])
    return {"shape": np.array(shape, dtype=np.int64), "places": places.astype(np.int64)}


def roofline(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A device: `bandwidth` () in bytes/s, `peaks` (2,) in multiply-accumulates/s for float32 and int8, all float64. Eight
    operators: `macs`, `moved` (8,) int64 in bytes, `narrow` (8,) int64, 1 for int8; `seconds` (8,) float64, as measured. Answers:

    ridge (2,)          multiply-accumulates per byte at which the two roofs meet
    least (8,)          the least seconds: the larger of macs / peak and moved / bandwidth
    memory (8,) integer 1 where moving takes longer than computing, else 0
    share (8,)          least / measured
    gain ()             how many times faster all eight together would be if each ran in its least time
    """
    bandwidth, peak = rng.uniform(5e9, 50e9), rng.uniform(1e10, 2e11)
    peaks = np.array([peak, peak * rng.uniform(2.0, 4.5)])
    intensity = np.exp(rng.uniform(np.log(0.3), np.log(60.0), 8))
    moved = rng.integers(20_000, 2_000_000, 8)
    narrow = rng.integers(0, 2, 8)
    macs = (moved * intensity).astype(np.int64)
    least = np.maximum(macs / peaks[narrow], moved / bandwidth)
    return {
        "bandwidth": np.array(np.round(bandwidth)),
        "peaks": np.round(peaks),
        "macs": macs,
        "moved": moved.astype(np.int64),
        "narrow": narrow.astype(np.int64),
        "seconds": np.round(least * rng.uniform(1.1, 4.0, 8), 9),
    }


INPUTS = {
    "merge_branches": merge_branches,
    "im2col": im2col,
    "winograd": winograd,
    "separable_cost": separable_cost,
    "layouts": layouts,
    "roofline": roofline,
}
