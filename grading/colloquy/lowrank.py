"""Computed questions on low-rank factorizations of dense and convolutional layers."""

import math

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MADE, MEASURES, Computed, Problem


def svd_compression(draw: Draw) -> Problem:
    rows, columns, rank = draw.integer(20, 80) * 10, draw.integer(20, 80) * 10, draw.integer(8, 60)
    answer = rows * columns / (rank * (rows + columns))
    return Problem(
        {"rows": rows, "columns": columns, "rank": rank},
        f"A dense layer's {rows}×{columns} matrix is replaced by two factors of rank {rank} from its SVD (singular values "
        "merged into a factor). By which factor does the number of weights fall?",
        answer,
        f"{rows}·{columns} / ({rank}·({rows} + {columns})) = {show(answer)}.",
        {
            "took the rank's ratio": min(rows, columns) / rank,
            "turned the ratio": 1 / answer,
            "counted one factor": columns / rank,
        },
    )


def svd_rank(draw: Draw) -> Problem:
    rows, columns, factor = draw.integer(20, 90) * 10, draw.integer(20, 90) * 10, draw.decimal(2.0, 6.0, 1)
    exact = rows * columns / (factor * (rows + columns))
    while not 0.1 < exact % 1 < 0.9:  # so that nobody's rounding decides
        rows = draw.integer(20, 90) * 10
        exact = rows * columns / (factor * (rows + columns))
    return Problem(
        {"rows": rows, "columns": columns, "factor": factor},
        f"A {rows}×{columns} matrix is to be factorized into two matrices with at least {factor} times fewer weights. What is "
        "the largest rank that does it?",
        math.floor(exact),
        f"r ≤ {rows}·{columns} / ({factor}·({rows} + {columns})) = {show(exact)}, so r = {math.floor(exact)}.",
        {"rounded up": math.ceil(exact), "divided the full rank": min(rows, columns) // factor},
    )


def svd_error(draw: Draw) -> Problem:
    values = tuple(sorted((draw.decimal(0.5, 9.5, 1) for _ in range(5)), reverse=True))
    rank = draw.integer(2, 3)
    total, tail = (sum(value**2 for value in part) for part in (values, values[rank:]))
    return Problem(
        {"values": values, "rank": rank},
        f"A matrix has the singular values {listed(values)}. What is the relative Frobenius error ‖W − W_[r]‖ / ‖W‖ of its best "
        f"approximation of rank {rank}?",
        math.sqrt(tail / total),
        f"√({show(tail)} / {show(total)}) = {show(math.sqrt(tail / total))}: the squares of what is left out over the squares "
        "of all.",
        {
            "forgot the root": tail / total,
            "did not square": sum(values[rank:]) / sum(values),
            "gave the error in the spectral norm": values[rank] / values[0],
        },
    )


def _convolution(draw: Draw) -> tuple[int, int, int, int]:
    return draw.choice((3, 5)), draw.choice((48, 64, 96, 128)), draw.choice((64, 96, 128, 192)), draw.choice((7, 14, 28, 32))


def tucker_macs(draw: Draw) -> Problem:
    k, inputs, filters, side = _convolution(draw)
    first, second = draw.integer(10, 24), draw.integer(25, 40)
    answer = side * side * (inputs * first + k * k * first * second + second * filters)
    return Problem(
        {"k": k, "inputs": inputs, "filters": filters, "side": side, "first": first, "second": second},
        f"Tucker-2 turns a {k}×{k} convolution ({inputs} to {filters} channels, {side}×{side} output, stride 1) into 1×1 to "
        f"{first} channels, {k}×{k} to {second} channels, 1×1 to {filters} channels. How many MACs do the three take?",
        answer,
        f"{side}² · ({inputs}·{first} + {k * k}·{first}·{second} + {second}·{filters}) = {answer}.",
        {
            "forgot the resolution": answer // side**2,
            "counted the plain convolution": side * side * k * k * inputs * filters,
            "counted the core only": side * side * k * k * first * second,
            "counted two FLOPs a MAC": 2 * answer,
        },
    )


def cp_parameters(draw: Draw) -> Problem:
    k, inputs, filters, _ = _convolution(draw)
    rank = draw.integer(20, 120)
    answer = rank * (inputs + filters + 2 * k)
    return Problem(
        {"k": k, "inputs": inputs, "filters": filters, "rank": rank},
        f"CP decomposition of rank {rank} turns a {k}×{k} convolution from {inputs} to {filters} channels into 1×1, {k}×1 "
        f"depthwise, 1×{k} depthwise and 1×1 convolutions. How many weights have the four?",
        answer,
        f"{rank} · ({inputs} + {k} + {k} + {filters}) = {answer}.",
        {
            "kept a k×k depthwise kernel": rank * (inputs + filters + k * k),
            "mixed channels in the middle": rank * (inputs + filters) + 2 * k * rank * rank,
            "left out the middle": rank * (inputs + filters),
        },
    )


def spatial_rank(draw: Draw) -> Problem:
    k, inputs, filters, _ = _convolution(draw)
    k, rank = k + 2, draw.integer(16, 48)
    answer = k * inputs * filters / (rank * (inputs + filters))
    return Problem(
        {"k": k, "inputs": inputs, "filters": filters, "rank": rank},
        f"A {k}×{k} convolution from {inputs} to {filters} channels (stride 1) is replaced by {k}×1 to {rank} channels and "
        f"1×{k} to {filters} channels, both full convolutions. By which factor do the MACs fall?",
        answer,
        f"k²·C·F / (k·C·r + k·r·F) = {k}·{inputs}·{filters} / ({rank}·({inputs} + {filters})) = {show(answer)}.",
        {
            "left k² in both parts": answer / k,
            "compared the first part only": k * filters / rank,
            "turned the ratio": 1 / answer,
        },
    )


QUESTIONS = (
    Computed("svd-compression", "low rank", "l08", None, MEASURES, 1, svd_compression),
    Computed("svd-rank", "low rank", "l08", None, MADE, 2, svd_rank, whole=True),
    Computed("svd-error", "low rank", "l08", None, KNOWS, 2, svd_error),
    Computed("tucker-macs", "low rank", "l08", None, MADE, 3, tucker_macs, "MAC", True),
    Computed("cp-parameters", "low rank", "l08", None, MADE, 2, cp_parameters, whole=True),
    Computed("spatial-rank", "low rank", "l08", None, MEASURES, 2, spatial_rank),
)
