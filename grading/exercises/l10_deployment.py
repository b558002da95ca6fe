"""The reference solutions of the exercises of l10_deployment, from the definitions of their inputs in projectkit.submit."""

import itertools
from collections.abc import Sequence

import numpy as np

from projectkit.types import Arrays


def _alive(last: list[int], sizes: list[int], count: int) -> list[int]:
    """Bytes alive at each of `count` operators, the tensors being made one an operator, the first of all before them."""
    first = [0, *range(count)]
    return [sum(size for a, b, size in zip(first, last, sizes, strict=True) if a <= step <= b) for step in range(count)]


def _lifetimes(inputs: Arrays) -> Arrays:
    sizes, reads = inputs["sizes"].tolist(), inputs["reads"].tolist()
    last = [max(operator for operator, read in enumerate(reads) if tensor in read) for tensor in range(8)] + [7]
    first = [0, *range(8)]
    live = _alive(last, sizes, 8)
    placed: list[tuple[int, int]] = []  # (offset, tensor)
    for tensor in sorted(range(9), key=lambda tensor: -sizes[tensor]):
        beside = [(at, other) for at, other in placed if first[other] <= last[tensor] and first[tensor] <= last[other]]
        ends = [0, *(at + sizes[other] for at, other in beside)]  # the lowest place is 0 or the end of another

        def free(offset: int, size: int, others: list[tuple[int, int]]) -> bool:
            return all(offset + size <= at or at + sizes[other] <= offset for at, other in others)

        placed.append((min(end for end in ends if free(end, sizes[tensor], beside)), tensor))
    arena = max(at + sizes[tensor] for at, tensor in placed)
    return {"last": np.array(last), "live": np.array(live), "peak": np.array(max(live)), "arena": np.array(arena)}


def _two_branches(inputs: Arrays) -> Arrays:
    parents: dict[int, tuple[int, ...]] = {1: (0,), 3: (0,), 2: (1,), 4: (3,), 5: (2, 4), 6: (5,)}
    peaks = []
    for order in inputs["orders"].tolist():
        when = {operator: step for step, operator in enumerate(order)}
        last = [max([when[child] for child, of in parents.items() if operator in of], default=6) for operator in order]
        sizes = [int(inputs["input"]), *inputs["sizes"][order].tolist()]
        peaks.append(max(_alive([0, *last], sizes, 7)))
    return {"peaks": np.array(peaks), "best": np.array(peaks.index(min(peaks)))}


def _trtexec_output(inputs: Arrays) -> Arrays:
    fields = {}
    for line in str(inputs["text"]).splitlines():
        name, _, rest = line.split("] [I] ")[1].partition(": ")
        fields[name] = {
            part.rpartition(" = ")[0]: float(part.rpartition(" = ")[2].split()[0]) for part in rest.split(", ") if rest
        }
    total, wall = (fields[name][""] for name in ("Total GPU Compute Time", "Total Host Walltime"))
    return {
        "throughput": np.array(fields["Throughput"][""]),
        "compute": np.array(fields["GPU Compute Time"]["median"] / 1000),
        "latency_99": np.array(fields["Latency"]["percentile(99%)"] / 1000),
        "transfers": np.array((fields["H2D Latency"]["median"] + fields["D2H Latency"]["median"]) / 1000),
        "busy": np.array(total / wall),
    }


def _fallback(inputs: Arrays) -> Arrays:
    supported, crossing = inputs["supported"].tolist(), float(inputs["crossing"])
    seconds = list(zip(inputs["gpu"].tolist(), inputs["dla"].tolist(), strict=True))

    def crossings(places: Sequence[int]) -> int:
        return sum(a != b for a, b in itertools.pairwise((0, *places, 0)))

    def total(places: Sequence[int]) -> float:
        return sum(own[place] for own, place in zip(seconds, places, strict=True)) + crossing * crossings(places)

    possible = itertools.product(*[(0, 1) if able else (0,) for able in supported])
    return {
        "crossings": np.array(crossings(supported)),
        "seconds": np.array(total(supported)),
        "gpu_only": np.array(total([0] * len(supported))),
        "best": np.array(min(map(total, possible))),
    }


def _ram_budget(inputs: Arrays) -> Arrays:
    accuracy, latency, memory = (inputs[name].tolist() for name in ("accuracy", "latency", "memory"))
    feasible = [number for number, size in enumerate(memory) if size <= float(inputs["budget"])]

    def beats(a: int, b: int) -> bool:
        return accuracy[a] >= accuracy[b] and latency[a] <= latency[b] and (accuracy[a], latency[a]) != (accuracy[b], latency[b])

    best = max(feasible, key=accuracy.__getitem__)
    return {
        "feasible": np.array(feasible),
        "front": np.array([number for number in feasible if not any(beats(other, number) for other in feasible)]),
        "best": np.array(best),
        "price": np.array(max(accuracy) - accuracy[best]),
    }


SOLUTIONS = {
    "lifetimes": _lifetimes,
    "two_branches": _two_branches,
    "trtexec_output": _trtexec_output,
    "fallback": _fallback,
    "ram_budget": _ram_budget,
}
