"""Checks of l10_deployment."""

import itertools

import numpy as np

from checks import close, right


def ratios(student) -> None:
    """student(samples) -> (columns,)"""
    samples = np.array([[1.0, 0.5, 2.0], [1.2, 0.6, 2.2], [9.0, 0.7, 2.4], [1.1, 0.5, 2.0], [1.3, 0.6, 9.9]])
    hint = "the median of each column, divided by that of the first: one slow round must not decide."
    close(student(samples), [1.0, 0.5, 2.2 / 1.2], "the ratios", hint)
    right("below 1 is faster than the first column.")


def lifetimes(student) -> None:
    """student(reads) -> (tensors,) the last operator that reads each tensor"""
    reads = [[0], [1], [1, 2], [3]]
    found = np.asarray(student(reads)).tolist()
    assert len(found) == 5, f"Four operators have five tensors, the input among them; you have {len(found)} numbers."
    assert found[4] == 3, f"Nobody reads tensor 4, the output: it lives to the last operator, 3; you have {found[4]}."
    assert found[1] == 2, f"Tensor 1 is read by operators 1 and 2: the last is 2, a shortcut keeps it alive; you have {found[1]}."
    assert found == [0, 2, 2, 3, 3], f"Expected [0, 2, 2, 3, 3], you have {found}."
    right("a tensor is alive until its last reader has run.")


def live(student) -> None:
    """student(sizes, last) -> (operators,) the bytes alive at each"""
    hint = "At operator i those tensors are alive that were made by then (tensor t is made by operator t − 1, the input is there "
    hint += "at operator 0) and whose last ≥ i."
    close(student(np.array([10, 40, 20, 5, 1]), np.array([0, 2, 2, 3, 3])), [50, 60, 65, 6], "the bytes", hint)
    right("the inputs of an operator, its outputs, and all that a later one still needs.")


def cheapest_order(student) -> None:
    """student(orders, peak_of) -> (order, peak)"""
    orders = [[0, 2, 1], [0, 1, 2], [1, 0, 2]]
    table = {(0, 2, 1): 30, (0, 1, 2): 20, (1, 0, 2): 20}
    order, peak = student(orders, lambda order: table[tuple(order)])
    assert peak == 20, f"The peaks are 30, 20 and 20; you found {peak}."
    assert list(order) == [0, 1, 2], f"Of two that need 20 take the first, [0, 1, 2]; you have {list(order)}."
    right("the same operators need less memory in another order.")


def medians(student) -> None:
    """student(text) -> (latency, compute) in seconds"""
    for stamp, values in itertools.product(("", "[11/22/2026-14:03:20] [I] "), ((1.75, 1.5), (0.825, 8.0e-1))):
        lines = [
            f"{stamp}{name}: min = 0.1 ms, max = 9 ms, mean = 2 ms, median = {value:g} ms, percentile(99%) = 8.5 ms"
            for name, value in zip(("Latency", "GPU Compute Time"), values, strict=True)
        ]
        other = f"{stamp}H2D Latency: min = 0.1 ms, max = 9 ms, mean = 2 ms, median = 0.05 ms, percentile(99%) = 8.5 ms"
        text = "\n".join([other, *lines])
        hint = "Seconds, not milliseconds; and 'H2D Latency' is another line than 'Latency'."
        close(student(text), [value / 1000 for value in values], "the medians", hint)
    right("with time stamps and without, as on a terminal and in a file.")


def placed(student) -> None:
    """student(on_dla, dla, gpu, crossing) -> seconds"""
    gpu, dla = np.array([4.0, 4.0, 4.0]), np.array([1.0, 2.0, 3.0])
    hint = "Each layer takes the time of its place; every change between the two costs a crossing, from the GPU at the start and "
    hint += "back to it at the end included."
    for on_dla, expected in (([0, 0, 0], 12.0), ([1, 1, 1], 7.0), ([1, 0, 1], 10.0), ([0, 1, 0], 11.0)):
        close(student(np.array(on_dla), dla, gpu, 0.5), expected, f"places {on_dla}", hint)
    right("with many crossings the DLA can be slower than the GPU alone.")


def chosen(name, table, budget) -> None:
    """name: a key of table; table: name -> (accuracy, latency ratio, bytes)."""
    assert name in table, f"{name!r} was not measured; choose one of {', '.join(table)}."
    assert table[name][2] <= budget, f"{name} takes {table[name][2]:,} B of activations, the device has {budget:,}."
    fitting = {other: row for other, row in table.items() if row[2] <= budget}
    best = max(row[0] for row in fitting.values())
    assert table[name][0] >= best - 0.01, f"{name} is right on {table[name][0]:.1%}; another that fits is right on {best:.1%}."
    right(f"{name}: {table[name][0]:.1%} in {table[name][2]:,} B.")
