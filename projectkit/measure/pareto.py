"""Which of several models are Pareto-optimal."""

from collections.abc import Sequence


def pareto(costs: Sequence[float], gains: Sequence[float]) -> list[int]:
    """The indices of the Pareto-optimal points, by rising cost.

    A point is optimal when no other costs at most as much and gains at least as much, with one of the two strictly better.
    """
    optimal: list[int] = []
    best, best_cost = float("-inf"), float("inf")
    for index in sorted(range(len(costs)), key=lambda index: (costs[index], -gains[index])):
        if gains[index] > best or (gains[index] == best and costs[index] == best_cost):
            optimal.append(index)
            best, best_cost = gains[index], costs[index]
    return optimal
