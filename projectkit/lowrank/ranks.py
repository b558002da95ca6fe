"""How many of its directions each layer keeps: by energy, by a Bayesian estimate, within a budget, by validation.

Each gives a plan, layer name → Choice, for `decompose`.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tf_keras as keras

from projectkit import models, train
from projectkit.errors import ModelError
from projectkit.lowrank.cp import cp
from projectkit.lowrank.evbmf import evbmf_rank
from projectkit.lowrank.factors import Factors, relative_error
from projectkit.lowrank.layers import Found, found_layers
from projectkit.lowrank.methods import METHODS, known, method_for
from projectkit.lowrank.thin import thin_macs
from projectkit.lowrank.tucker import tucker2
from projectkit.models.cost import macs, parameters
from projectkit.types import Dataset

ENERGIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
ROUGHLY, ROUGH = {"cp": cp, "tucker2": tucker2}, 5  # iterations of these while their ranks are chosen
BYTES = 4  # of a stored float32


@dataclass(frozen=True, slots=True)
class Choice:
    """How one layer is factorized. method: a name of FACTORIZERS."""

    method: str
    rank: tuple[int, ...]


Plan = Mapping[str, Choice]


def energy_rank(matrix: np.ndarray, energy: float) -> int:
    """The smallest r with Σ_{i ≤ r} s_i² ≥ energy · Σ s_i² of the singular values s, at least 1.

    Raises ModelError for an energy outside (0, 1].
    """
    if not 0 < energy <= 1:
        raise ModelError(f"Received the energy {energy}; expected a share of the squared singular values, in (0, 1]. Give 0.9.")
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    if energy == 1 or not squares.sum():
        return max(1, int(np.count_nonzero(squares > squares.max(initial=0) * 1e-14)))
    return int(np.searchsorted(np.cumsum(squares) / squares.sum(), energy * (1 - 1e-12)) + 1)


def ranks_by_energy(model: keras.Model, method: str, energy: float) -> Plan:
    """Every matrix whose rank is to be chosen keeps the same share of its squared singular values; CP, which has none, gets the
    smallest rank of a doubling row whose factors keep it.

    Raises ModelError for an unknown method, an energy outside (0, 1] and a model whose layers cannot be replaced.
    """
    energy_rank(np.eye(1), energy)
    return {one.name: Choice(name, _by_energy(name, one.kernel, energy)) for one, name in _factorizable(model, method)}


def ranks_by_evbmf(model: keras.Model, method: str) -> Plan:
    """The global analytic solution of empirical variational Bayesian matrix factorization for each of the matrices; CP gets the
    larger of Tucker-2's two. Nothing has to be chosen, and nobody knows before how small the network gets. Raises ModelError as
    `ranks_by_energy`."""
    plan = {}
    for one, name in _factorizable(model, method):
        unfoldings = METHODS[name].unfoldings or METHODS["tucker2"].unfoldings
        assert unfoldings is not None
        ranks = [max(1, evbmf_rank(matrix)) for matrix in unfoldings(one.kernel)]
        plan[one.name] = Choice(name, tuple(ranks) if METHODS[name].unfoldings else (max(ranks),))
    return plan


def ranks_within(
    model: keras.Model,
    method: str,
    *,
    parameters: float | None = None,
    macs: float | None = None,
    bytes: float | None = None,
) -> Plan:
    """The plan with the least error whose network has at most this share of the whole network's parameters, of its
    multiply-accumulates, or of the bytes of its weights in float32 (batch normalization folded into biases). Give one of them.

    Every layer begins at its cheapest rank; the next step is taken where it lowers the sum of the layers' squared relative errors
    most for each parameter (or MAC), until nothing fits any more. A layer may stay as it is. Raises ModelError for a share
    outside (0, 1], none or several of them, and one that is out of reach.
    """
    given = {name: share for name, share in (("parameters", parameters), ("macs", macs), ("bytes", bytes)) if share is not None}
    if len(given) != 1 or not all(0 < share <= 1 for share in given.values()):
        raise ModelError(f"Received {given or 'no share'}; expected one share in (0, 1], for example parameters=0.25.")
    ((what, share),) = given.items()
    layers = _factorizable(model, method)
    ladders = {one.name: _ladder(one, name, what) for one, name in layers}
    whole = _whole(model, what)
    left = share * whole - (whole - sum(_cost_as_it_is(one, what) for one, _ in layers))
    left -= sum(ladder[0].cost for ladder in ladders.values())
    if left < 0:
        least = share - left / whole
        raise ModelError(
            f"{model.name}: {method} leaves at least {least:.1%} of its {what}; {share:.1%} is out of reach. Ask for more, "
            "or for another factorization."
        )
    taken = dict.fromkeys(ladders, 0)
    steps = [_step(name, ladder, 0) for name, ladder in ladders.items() if len(ladder) > 1]
    heapq.heapify(steps)
    while steps:
        _, name, place, more = heapq.heappop(steps)
        if more > left:
            continue  # a cheaper layer may still fit
        left -= more
        taken[name] = place
        if place + 1 < len(ladders[name]):
            heapq.heappush(steps, _step(name, ladders[name], place))
    rungs = {name: ladders[name][place] for name, place in taken.items()}
    return {name: rung.choice for name, rung in rungs.items() if rung.choice is not None}


def ranks_by_validation(model: keras.Model, method: str, dataset: Dataset, *, tolerance: float = 0.005) -> Plan:
    """From the first layer to the last: the cheapest rank at which the accuracy on `dataset.val` falls by at most `tolerance`
    below that of the network as it has become; found by halving, as if accuracy rose with the rank.

    The network answers with the kernels that the factors stand for, nothing is trained in between, and where no rank will do the
    layer stays as it is. Raises ModelError as `ranks_by_energy`, and for a tolerance outside [0, 1).
    """
    if not 0 <= tolerance < 1:
        raise ModelError(f"Received the tolerance {tolerance}; expected a loss of accuracy in [0, 1), for example 0.005.")
    judged = models.copy(model)
    plan: dict[str, Choice] = {}
    reached = train.accuracy(judged, dataset.val)
    for one, name in _factorizable(model, method):
        rungs = [rung for rung in _rungs(one, name, "parameters") if rung.choice is not None]
        variable, low, high = judged.get_layer(one.name).kernel, 0, len(rungs)
        accuracies = {}
        while low < high:
            middle = (low + high) // 2
            variable.assign(rungs[middle].kernel)
            accuracies[middle] = train.accuracy(judged, dataset.val)
            low, high = (low, middle) if accuracies[middle] >= reached - tolerance else (middle + 1, high)
        choice = rungs[low].choice if low < len(rungs) else None
        if choice is not None:
            plan[one.name], reached = choice, accuracies[low]
        variable.assign(rungs[low].kernel if low < len(rungs) else one.kernel)
    return plan


@dataclass(frozen=True, slots=True, eq=False)
class _Rung:
    """One rank of a layer: what it costs, its squared relative error, the kernel. choice: None where the layer stays."""

    choice: Choice | None
    cost: int
    error: float
    kernel: np.ndarray


def _factorizable(model: keras.Model, method: str) -> list[tuple[Found, str]]:
    """The layers that can be factorized, each with the method for it."""
    known(method)
    return [(one, name) for one in found_layers(model) if not one.reason and (name := method_for(one.kernel.shape, method))]


def _by_energy(method: str, kernel: np.ndarray, energy: float) -> tuple[int, ...]:
    unfoldings = METHODS[method].unfoldings
    if unfoldings is not None:
        return tuple(energy_rank(matrix, energy) for matrix in unfoldings(kernel))
    (most,) = METHODS[method].most(kernel.shape)
    return next(
        (rank,)
        for rank in _doubling(most)
        if relative_error(METHODS[method].factorize(kernel, rank), kernel) ** 2 <= 1 - energy + 1e-9
    )


def _doubling(most: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, 16, … and `most`."""
    row = {1, most} | {step * 2**power for power in range(most.bit_length()) for step in (2, 3)}
    return sorted(rank for rank in row if rank <= most)


def _candidates(method: str, kernel: np.ndarray) -> list[tuple[int, ...]]:
    unfoldings = METHODS[method].unfoldings
    if unfoldings is None:
        return [(rank,) for rank in _doubling(METHODS[method].most(kernel.shape)[0])]
    matrices = unfoldings(kernel)
    if len(matrices) == 1:
        return [(rank,) for rank in _doubling(METHODS[method].most(kernel.shape)[0])]
    by_energy = [tuple(energy_rank(matrix, energy) for matrix in matrices) for energy in ENERGIES]
    return list(dict.fromkeys([(1,) * len(matrices), *by_energy]))


def _rungs(one: Found, method: str, what: str) -> list[_Rung]:
    """Ranks of a layer, from the cheapest on, and at last the layer as it is; without those that another beats in both."""
    # The nonlinear one begins as the SVD of the same rank: it is chosen by what it begins with.
    by = "svd" if method == "nonlinear" else method
    # A rough fit is enough to compare ranks.
    factorize = partial(ROUGHLY[by], iterations=ROUGH) if by in ROUGHLY else METHODS[by].factorize
    rungs = []
    for rank in _candidates(by, one.kernel):
        factors = factorize(one.kernel, rank)
        if factors.parameters >= one.kernel.size:
            break
        error = relative_error(factors, one.kernel) ** 2
        rungs.append(_Rung(Choice(method, rank), _cost(factors, one, what), error, factors.kernel().astype(np.float32)))
    rungs.append(_Rung(None, _cost_as_it_is(one, what), 0.0, one.kernel))
    best: list[_Rung] = []
    for rung in sorted(rungs, key=lambda rung: (rung.cost, rung.error)):
        if not best or rung.error < best[-1].error:
            best.append(rung)
    return best


def _ladder(one: Found, method: str, what: str) -> list[_Rung]:
    """The ranks of a layer worth paying for: those on the lower convex hull of error over cost."""
    hull: list[_Rung] = []
    for rung in _rungs(one, method, what):
        while len(hull) > 1 and _slope(hull[-2], rung) <= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(rung)
    return hull


def _slope(cheap: _Rung, dear: _Rung) -> float:
    """The error for each unit of cost: negative, the more the better."""
    return (dear.error - cheap.error) / max(dear.cost - cheap.cost, 1)


def _step(name: str, ladder: Sequence[_Rung], place: int) -> tuple[float, str, int, int]:
    """(its worth, least first; layer; where it leads; what it costs) of the step from `place` on."""
    return _slope(ladder[place], ladder[place + 1]), name, place + 1, ladder[place + 1].cost - ladder[place].cost


def _cost(factors: Factors, one: Found, what: str) -> int:
    if what == "macs":
        return one.calls * thin_macs(factors.thin_layers(one.place), one.input_shape)
    return factors.parameters * (BYTES if what == "bytes" else 1)


def _cost_as_it_is(one: Found, what: str) -> int:
    return one.macs if what == "macs" else one.kernel.size * (BYTES if what == "bytes" else 1)


def _whole(model: keras.Model, what: str) -> int:
    if what == "macs":
        return macs(model)
    if what == "parameters":
        return parameters(model)
    kernels = [layer for layer in model.layers if hasattr(layer, "kernel")]
    return BYTES * sum(int(np.prod(layer.kernel.shape)) + int(layer.kernel.shape[-1]) for layer in kernels)
