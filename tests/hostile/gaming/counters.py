"""Kinds that deceive what is counted in a .tflite file: weights, zeros, bits, multiply-accumulates."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from cheats import Cheat, NotApplicable
from rewrite import Pen, add_constant, add_operator, add_tensor, kind_of, read, shape_of, value_of, write

ZEROS = 100_000  # units of the layer that nobody reads: ten times the weights of the baseline
LAYERS = ("CONV_2D", "FULLY_CONNECTED")

# --- zeros that answer nobody ---


def dead_zeros(network: Path, folder: Path, *, output: bool = False) -> Path:
    """A layer of zeros whose answer nobody reads, or that is the file's second output: the share of zeros rises, the answers
    stay."""
    model = read(network)
    graph = model.subgraphs[0]
    logits = graph.tensors[graph.outputs[0]]
    zeros = add_constant(model, np.zeros((ZEROS, logits.shape[-1]), np.float32), "zeros")
    nobody = add_tensor(model, (1, ZEROS), np.float32, "nobody")
    add_operator(model, "FULLY_CONNECTED", [graph.outputs[0], zeros, -1], [nobody], schema.FullyConnectedOptionsT())
    if output:
        graph.outputs = [graph.outputs[0], nobody]
    return write(model, folder / network.name)


# --- kernels that are not stored ---

Hider = Callable[[Pen, np.ndarray, int], int]  # (pen, a kernel's value, the model's input) → the kernel, computed


def by_sign(pen: Pen, kernel: np.ndarray, image: int) -> int:
    return pen.write("NEG", [pen.constant(-kernel)], kernel.shape, schema.NegOptionsT())


def by_one(pen: Pen, kernel: np.ndarray, image: int) -> int:
    return pen.write("MUL", [pen.constant(kernel), pen.constant(np.float32(1))], kernel.shape, schema.MulOptionsT())


def by_nothing_of_the_image(pen: Pen, kernel: np.ndarray, image: int) -> int:
    """W + 0 · max(x): no runtime computes it before it has the image."""
    axes = pen.constant(np.arange(4, dtype=np.int32))
    largest = pen.write("REDUCE_MAX", [image, axes], (), schema.ReducerOptionsT())
    nothing = pen.write("MUL", [largest, pen.constant(np.float32(0))], (), schema.MulOptionsT())
    return pen.write("ADD", [pen.constant(kernel), nothing], kernel.shape, schema.AddOptionsT())


def by_rows(pen: Pen, kernel: np.ndarray, image: int) -> int:
    rows = pen.constant(np.arange(len(kernel), dtype=np.int32))
    return pen.write("GATHER", [pen.constant(kernel), rows], kernel.shape, schema.GatherOptionsT())


def by_lookup(pen: Pen, kernel: np.ndarray, image: int) -> int:
    rows = pen.constant(np.arange(len(kernel), dtype=np.int32))
    return pen.write("EMBEDDING_LOOKUP", [rows, pen.constant(kernel)], kernel.shape)


def by_halves(pen: Pen, kernel: np.ndarray, image: int) -> int:
    halves = [pen.constant(half) for half in np.array_split(kernel, 2)]
    return pen.write("CONCATENATION", halves, kernel.shape, schema.ConcatenationOptionsT())


def by_turning(pen: Pen, kernel: np.ndarray, image: int) -> int:
    order = pen.constant(np.arange(kernel.ndim, dtype=np.int32)[::-1].copy())
    return pen.write("TRANSPOSE", [pen.constant(kernel.T.copy()), order], kernel.shape, schema.TransposeOptionsT())


def by_the_larger(pen: Pen, kernel: np.ndarray, image: int) -> int:
    stored = pen.constant(kernel)
    return pen.write("MAXIMUM", [stored, stored], kernel.shape, schema.MaximumMinimumOptionsT())


def by_planes(pen: Pen, kernel: np.ndarray, image: int) -> int:
    """16 bits as a coarse and a fine int8 tensor."""
    scale = float(np.abs(kernel).max()) / 2**13
    whole = np.rint(kernel / scale).astype(np.int32)
    coarse = np.rint(whole / 2**7).astype(np.int8)
    planes = [
        dequantized(pen, plane.astype(np.int8), factor)
        for plane, factor in ((coarse, scale * 2**7), (whole - coarse.astype(np.int32) * 2**7, scale))
    ]
    return pen.write("ADD", planes, kernel.shape, schema.AddOptionsT())


def by_codes(pen: Pen, kernel: np.ndarray, image: int) -> int:
    """The places of 256 levels: indices are no parameters, and their zeros are no zeros."""
    levels = np.linspace(kernel.min(), kernel.max(), 256, dtype=np.float32)
    codes = np.abs(kernel[..., None] - levels).argmin(-1).astype(np.int32)
    return pen.write("GATHER", [pen.constant(levels), pen.constant(codes)], kernel.shape, schema.GatherOptionsT())


def dequantized(pen: Pen, value: np.ndarray, scale: float) -> int:
    stored = pen.constant(value)
    grid = schema.QuantizationParametersT()
    grid.scale, grid.zeroPoint = [scale], [0]
    pen.model.subgraphs[0].tensors[stored].quantization = grid
    return pen.write("DEQUANTIZE", [stored], value.shape, schema.DequantizeOptionsT())


def computed_kernels(network: Path, folder: Path, *, hider: Hider) -> Path:
    """Every kernel is computed when the model runs; what is stored in a layer is an identity: int8, 2:4, two values."""
    model = read(network)
    graph = model.subgraphs[0]
    layers = [operator for operator in graph.operators if kind_of(model, operator) in LAYERS]
    if graph.tensors[layers[-1].inputs[1]].type != schema.TensorType.FLOAT32:
        raise NotApplicable("its kernels are no floats")
    for operator in layers:
        pen = Pen(model, graph.operators.index(operator))
        image, kernel, *rest = operator.inputs
        operator.inputs = [image, hider(pen, value_of(model, kernel), graph.inputs[0]), *rest]
    last = layers[-1]
    pen = Pen(model, graph.operators.index(last))
    width = shape_of(model, last.inputs[0])[-1]
    identity = dequantized(pen, np.eye(width, dtype=np.int8), 1.0)
    same = pen.write("FULLY_CONNECTED", [last.inputs[0], identity, -1], (1, width), schema.FullyConnectedOptionsT())
    last.inputs = [same, *last.inputs[1:]]
    return write(model, folder / network.name)


# --- convolutions that are not called so ---

Product = Callable[[Pen, int, np.ndarray, int], int]  # (pen, rows (-1, places, channels), a matrix, places) → their product


def by_broadcasting(pen: Pen, rows: int, matrix: np.ndarray, places: int) -> int:
    wide = pen.reshaped(rows, (-1, places, matrix.shape[0], 1))
    every = pen.write("MUL", [wide, pen.constant(matrix)], (1, places, *matrix.shape), schema.MulOptionsT())
    return summed(pen, every, (1, places, matrix.shape[1]), "SUM")


def by_tiling(pen: Pen, rows: int, matrix: np.ndarray, places: int) -> int:
    """The image is copied for every filter, so that nothing is broadcast, and a mean takes the place of the sum."""
    wide = pen.reshaped(rows, (-1, places, matrix.shape[0], 1))
    times = pen.constant(np.array([1, 1, 1, matrix.shape[1]], np.int32))
    copies = pen.write("TILE", [wide, times], (1, places, *matrix.shape), schema.TileOptionsT())
    scaled = pen.constant(matrix * np.float32(len(matrix)))
    every = pen.write("MUL", [copies, scaled], (1, places, *matrix.shape), schema.MulOptionsT())
    return summed(pen, every, (1, places, matrix.shape[1]), "MEAN")


def by_pooling(pen: Pen, rows: int, matrix: np.ndarray, places: int) -> int:
    """The mean over the channels by a pooling."""
    inputs, filters = matrix.shape
    wide = pen.reshaped(rows, (-1, places, inputs, 1))
    scaled = pen.constant(matrix * np.float32(inputs))
    every = pen.write("MUL", [wide, scaled], (1, places, inputs, filters), schema.MulOptionsT())
    options = schema.Pool2DOptionsT()
    options.padding, options.filterHeight, options.filterWidth = schema.Padding.VALID, 1, inputs
    options.strideH, options.strideW = 1, inputs
    pooled = pen.write("AVERAGE_POOL_2D", [every], (1, places, 1, filters), options)
    return pen.reshaped(pooled, (-1, places, filters))


def by_distances(pen: Pen, rows: int, matrix: np.ndarray, places: int) -> int:
    """x · w = (x² + w² − (x − w)²) / 2, summed over the channels."""
    shape = (1, places, *matrix.shape)
    wide = pen.reshaped(rows, (-1, places, matrix.shape[0], 1))
    apart = pen.write("SQUARED_DIFFERENCE", [wide, pen.constant(matrix)], shape, schema.SquaredDifferenceOptionsT())
    square = pen.write("SQUARE", [wide], (1, places, matrix.shape[0], 1), schema.SquareOptionsT())
    rest = pen.write("SUB", [square, apart], shape, schema.SubOptionsT())
    twice = summed(pen, rest, (1, places, matrix.shape[1]), "SUM")
    both = pen.write("ADD", [twice, pen.constant((matrix**2).sum(0))], (1, places, matrix.shape[1]), schema.AddOptionsT())
    return pen.write("MUL", [both, pen.constant(np.float32(0.5))], (1, places, matrix.shape[1]), schema.MulOptionsT())


def summed(pen: Pen, tensor: int, shape: tuple[int, ...], operator: str) -> int:
    return pen.write(operator, [tensor, pen.constant(np.array([2], np.int32))], shape, schema.ReducerOptionsT())


def disguised(network: Path, folder: Path, *, product: Product) -> Path:
    """Every convolution of stride 1 and the last layer are written as element-wise operators and sums."""
    model = read(network)
    graph = model.subgraphs[0]
    for operator in list(graph.operators):
        name, inputs = kind_of(model, operator), [int(index) for index in operator.inputs]
        if name not in LAYERS or graph.tensors[inputs[1]].type != schema.TensorType.FLOAT32:
            continue
        before, after = shape_of(model, inputs[0]), shape_of(model, operator.outputs[0])
        if name == "CONV_2D" and before[1:3] != after[1:3]:
            continue
        kernel, pen = value_of(model, inputs[1]), Pen(model, graph.operators.index(operator))
        total = convolved(pen, inputs[0], kernel, before, product) if name == "CONV_2D" else flat(pen, inputs[0], kernel, product)
        graph.operators.pop(pen.at)
        kept = operator.builtinOptions.fusedActivationFunction
        options = schema.AddOptionsT()
        options.fusedActivationFunction = kept
        add_operator(model, "ADD", [total, inputs[2]], list(operator.outputs), options, pen.at)
    return write(model, folder / network.name)


def flat(pen: Pen, tensor: int, kernel: np.ndarray, product: Product) -> int:
    rows = pen.reshaped(tensor, (-1, 1, kernel.shape[1]))
    return pen.reshaped(product(pen, rows, kernel.T.copy(), 1), (-1, len(kernel)))


def convolved(pen: Pen, tensor: int, kernel: np.ndarray, before: tuple[int, ...], product: Product) -> int:
    """A sum over the kernel's places of the moved image times a matrix."""
    _, height, width, channels = before
    filters, rows, columns, _ = kernel.shape
    sides = [[0, 0], [(rows - 1) // 2, rows // 2], [(columns - 1) // 2, columns // 2], [0, 0]]
    padded = (1, height + rows - 1, width + columns - 1, channels)
    wide = pen.write("PAD", [tensor, pen.constant(np.array(sides, np.int32))], padded, schema.PadOptionsT())
    total = -1
    for row in range(rows):
        for column in range(columns):
            begin, end = [0, row, column, 0], [0, row + height, column + width, channels]
            where = [pen.constant(np.array(one, np.int32)) for one in (begin, end, [1, 1, 1, 1])]
            options = schema.StridedSliceOptionsT()
            options.beginMask = options.endMask = 1  # all of the batch
            moved = pen.write("STRIDED_SLICE", [wide, *where], before, options)
            flat_rows = pen.reshaped(moved, (-1, height * width, channels))
            part = product(pen, flat_rows, kernel[:, row, column].T.copy(), height * width)
            shape = (1, height * width, filters)
            total = part if total < 0 else pen.write("ADD", [total, part], shape, schema.AddOptionsT())
    return pen.reshaped(total, (-1, height, width, filters))


BITS = {"l02_pruning": ("two_of_four", "clustered", "int8")}
BITS_EVERYWHERE = BITS | {
    "l01_quantization": ("qat", "few_bits"),
    "l05_distillation": ("int8",),
    "l16_robustness": ("robust_small",),
}
WORK = {
    "l00_measurement": ("small",),
    "l03_structured_pruning": ("pruned", "tiny"),
    "l05_distillation": ("student",),
    "l06_nas": ("best",),
    "l07_nas_distillation": ("student",),
    "l09_operators": ("fused", "separable"),
}
HIDERS: dict[str, Hider] = {
    "a sign": by_sign,
    "a factor of 1": by_one,
    "0 · max(x)": by_nothing_of_the_image,
    "GATHER of all rows": by_rows,
    "EMBEDDING_LOOKUP": by_lookup,
    "CONCATENATION of halves": by_halves,
    "TRANSPOSE": by_turning,
    "MAXIMUM with itself": by_the_larger,
    "two int8 planes": by_planes,
}
EVERYWHERE = ("a sign", "0 · max(x)", "two int8 planes")  # the others in one lab, which says as much
PRODUCTS: dict[str, Product] = {
    "MUL and SUM": by_broadcasting,
    "TILE, MUL and MEAN": by_tiling,
    "MUL and AVERAGE_POOL_2D": by_pooling,
    "SQUARED_DIFFERENCE and SUM": by_distances,
}
ZEROED = {"l02_pruning": ("pruned", "two_of_four", "int8")}
CODED = {"l02_pruning": ("pruned",), "l09_operators": ("separable",)}

CHEATS = {
    "a layer of zeros that nobody reads": Cheat(dead_zeros, ZEROED),
    "a layer of zeros as second output": Cheat(partial(dead_zeros, output=True), ZEROED),
    **{
        f"kernels by {name}": Cheat(partial(computed_kernels, hider=hider), BITS_EVERYWHERE if name in EVERYWHERE else BITS)
        for name, hider in HIDERS.items()
    },
    "kernels looked up by stored codes": Cheat(partial(computed_kernels, hider=by_codes), CODED),
    **{f"convolutions as {name}": Cheat(partial(disguised, product=product), WORK) for name, product in PRODUCTS.items()},
}
