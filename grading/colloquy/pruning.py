"""Computed questions on sparse networks: what is removed, what is left, and what storing it costs."""

import math

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import MADE, MEASURES, Computed, Problem


def chain_parameters(draw: Draw) -> Problem:
    widths = tuple(draw.choice((16, 24, 32, 40, 48, 64)) for _ in range(3))
    removed = tuple(draw.choice((0.25, 0.5)) for _ in range(2))
    kept = [widths[0] * (1 - removed[0]), widths[1] * (1 - removed[1]), widths[2]]
    answer = round(9 * (3 * kept[0] + kept[0] * kept[1] + kept[1] * kept[2]))
    before = 9 * (3 * widths[0] + widths[0] * widths[1] + widths[1] * widths[2])
    outputs_only = 9 * (3 * kept[0] + widths[0] * kept[1] + widths[1] * kept[2])
    return Problem(
        {"widths": widths, "removed": removed},
        f"Three 3×3 convolutions without biases take 3 channels to {widths[0]}, {widths[1]} and {widths[2]}. Structured pruning "
        f"removes {show(100 * removed[0])} % of the first layer's filters and {show(100 * removed[1])} % of the second's, none "
        "of the third's. How many parameters are left?",
        answer,
        f"9 · (3·{show(kept[0])} + {show(kept[0])}·{show(kept[1])} + {show(kept[1])}·{kept[2]}) = {answer}: the next layer "
        "loses the removed input channels too.",
        {"kept the next layer's input channels": outputs_only, "removed nothing": before},
    )


def filter_distances(draw: Draw) -> Problem:
    filters = tuple(tuple(draw.integer(-4, 4) for _ in range(2)) for _ in range(4))
    answer = sum(math.dist(filters[0], other) for other in filters[1:])
    return Problem(
        {"filters": filters},
        "A layer has four filters of two weights each: "
        + ", ".join(f"F_[{i + 1}] = {listed(f)}" for i, f in enumerate(filters))
        + ". "
        "Pruning by the geometric median scores a filter by the sum of its Euclidean distances to the others. What is the "
        "score of F_[1]?",
        answer,
        "The distances are "
        + ", ".join(show(math.dist(filters[0], other)) for other in filters[1:])
        + f", together {show(answer)}.",
        {
            "summed the absolute differences": sum(abs(filters[0][i] - o[i]) for o in filters[1:] for i in range(2)),
            "gave the filter's norm": math.hypot(*filters[0]),
            "took the mean": answer / 3,
        },
    )


def network_sparsity(draw: Draw) -> Problem:
    sizes = (draw.integer(2, 20) * 100, draw.integer(30, 200) * 100)
    sparsities = (draw.integer(10, 45), draw.integer(55, 95))
    answer = (sizes[0] * sparsities[0] + sizes[1] * sparsities[1]) / sum(sizes)
    return Problem(
        {"sizes": sizes, "sparsities": sparsities},
        f"Of a layer's {sizes[0]} weights {sparsities[0]} % are zero, of another's {sizes[1]} weights {sparsities[1]} %. Which "
        "percentage of all weights is zero?",
        answer,
        f"({sizes[0]} · {sparsities[0]} + {sizes[1]} · {sparsities[1]}) / {sum(sizes)} = {show(answer)} %.",
        {"took the mean of the percentages": sum(sparsities) / 2, "gave the density": 100 - answer},
    )


def _matrix(draw: Draw) -> tuple[int, int, int]:
    return draw.choice((64, 100, 128, 200, 256)), draw.choice((128, 256, 300, 512)), draw.integer(60, 95)


def csr_bytes(draw: Draw) -> Problem:
    rows, columns, sparsity = _matrix(draw)
    rows = 100 if rows % 4 else rows  # so that the number of nonzero weights is whole
    nonzero = rows * columns * (100 - sparsity) // 100
    nonzero -= nonzero % 10
    answer = nonzero * 6 + (rows + 1) * 4
    return Problem(
        {"rows": rows, "columns": columns, "nonzero": nonzero},
        f"A {rows}×{columns} matrix with {nonzero} nonzero weights is stored as CSR: float32 values, 16-bit column indices, "
        "32-bit row pointers. How many bytes?",
        answer,
        f"{nonzero} · (4 + 2) + ({rows} + 1) · 4 = {answer}.",
        {
            "left out the indices": nonzero * 4 + (rows + 1) * 4,
            "left out the row pointers": nonzero * 6,
            "took one row pointer too few": nonzero * 6 + rows * 4,
            "stored it dense": rows * columns * 4,
        },
    )


def csr_break_even(draw: Draw) -> Problem:
    rows, columns, _ = _matrix(draw)
    value, index = draw.choice((1, 2, 4)), draw.choice((2, 4))
    answer = 100 - 100 * (rows * columns * value - (rows + 1) * 4) / (rows * columns * (value + index))
    return Problem(
        {"rows": rows, "columns": columns, "value": value, "index": index},
        f"A {rows}×{columns} matrix has weights of {value} byte{'s' if value > 1 else ''}. CSR adds a {index}-byte column index "
        "for each nonzero weight and 4-byte row pointers. Above which percentage of zeros is CSR smaller than dense storage?",
        answer,
        f"Density d = ({value}·{rows * columns} − 4·{rows + 1}) / ({value + index}·{rows * columns}), so zeros above 100 − "
        f"100·d = {show(answer)} %.",
        {"gave the density": 100 - answer, "thought that any zero pays": 4 * (rows + 1) / (rows * columns * value) * 100},
    )


def two_four(draw: Draw) -> Problem:
    weights = tuple(draw.decimals(8, -0.99, 0.99, 2))
    kept = [w for i in (0, 4) for w in sorted(weights[i : i + 4], key=abs)[2:]]
    answer = sum(abs(weight) for weight in kept)
    return Problem(
        {"weights": weights},
        f"The weights {listed(weights)} are pruned to 2:4 sparsity by magnitude, in groups from the left. What is the sum of "
        "the absolute values of what is kept?",
        answer,
        f"The two largest of each four are {listed(kept)}, together {show(answer)} in absolute value.",
        {
            "took the four largest of all": sum(sorted(map(abs, weights))[4:]),
            "kept the signs": sum(kept),
            "gave what was removed": sum(map(abs, weights)) - answer,
        },
    )


def two_four_size(draw: Draw) -> Problem:
    side, bits = draw.integer(8, 60) * 16, draw.choice((8, 16))
    answer = side * side / 2 * (bits + 2) / 8 / 1024
    return Problem(
        {"side": side, "bits": bits},
        f"A {side}×{side} matrix of {bits}-bit weights is 2:4 sparse: only kept weights are stored, each with a 2-bit position. "
        "How many KiB (1024 bytes)?",
        answer,
        f"{side}² / 2 · ({bits} + 2) / 8 / 1024 = {show(answer)} KiB.",
        {"left out the positions": side * side / 2 * bits / 8 / 1024, "stored all weights": side * side * bits / 8 / 1024},
    )


def sparsity_schedule(draw: Draw) -> Problem:
    final, end = draw.integer(60, 95), draw.choice((1000, 2000, 4000, 5000))
    step = end // 100 * draw.integer(15, 70)
    answer = final * (1 - (1 - step / end) ** 3)
    return Problem(
        {"final": final, "end": end, "step": step},
        f"Sparsity grows from 0 at step 0 to {final} % at step {end} by the cubic schedule s(t) = s_[f] − s_[f]·(1 − t/T)^[3]. "
        f"What percentage of the weights is zero at step {step}?",
        answer,
        f"{final} · (1 − (1 − {step}/{end})³) = {show(answer)} %.",
        {"raised it linearly": final * step / end, "cubed t/T": final * (step / end) ** 3},
    )


def pruned_speed(draw: Draw) -> Problem:
    kept_in, kept_out = draw.choice((0.4, 0.5, 0.6, 0.7, 0.75)), draw.choice((0.45, 0.55, 0.65, 0.8))
    answer = 1 / (kept_in * kept_out)
    return Problem(
        {"kept_in": kept_in, "kept_out": kept_out},
        f"After structured pruning, a convolution reads {show(100 * kept_in)} % of its input channels and makes "
        f"{show(100 * kept_out)} % of its output channels. By which factor did its MACs fall?",
        answer,
        f"1 / ({kept_in} · {kept_out}) = {show(answer)}: MACs go with the product of both numbers of channels.",
        {"counted the outputs only": 1 / kept_out, "added the savings": 2 / (kept_in + kept_out), "turned the ratio": 1 / answer},
    )


QUESTIONS = (
    Computed("chain-parameters", "pruning", "l03", 4, MADE, 3, chain_parameters, whole=True),
    Computed("filter-distances", "pruning", "l03", 4, MADE, 2, filter_distances),
    Computed("network-sparsity", "pruning", "l02", 4, MEASURES, 1, network_sparsity, "%"),
    Computed("csr-bytes", "pruning", "l02", 4, MEASURES, 2, csr_bytes, "bytes", True),
    Computed("csr-break-even", "pruning", "l02", 4, MEASURES, 3, csr_break_even, "%"),
    Computed("two-four-kept", "pruning", "l02", 4, MADE, 1, two_four),
    Computed("two-four-size", "pruning", "l02", 4, MEASURES, 2, two_four_size, "KiB"),
    Computed("sparsity-schedule", "pruning", "l02", 4, MADE, 2, sparsity_schedule, "%"),
    Computed("pruned-speed", "pruning", "l03", 4, MEASURES, 1, pruned_speed),
)
