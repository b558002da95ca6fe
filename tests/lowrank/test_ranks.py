"""How ranks are chosen: by energy, by variational Bayes, within a budget, by validation."""

import numpy as np
import pytest

from projectkit import lowrank, models, train
from projectkit.errors import ModelError
from projectkit.lowrank import (
    Choice,
    decompose,
    energy_rank,
    evbmf_rank,
    ranks_by_energy,
    ranks_by_evbmf,
    ranks_by_validation,
    ranks_within,
    relative_error,
)
from projectkit.models.cost import macs, parameters


def with_values(values, shape=(30, 20), seed=0):
    """A matrix with these singular values."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.normal(size=(shape[0], len(values))))
    right, _ = np.linalg.qr(rng.normal(size=(shape[1], len(values))))
    return (left * values) @ right.T


@pytest.mark.parametrize(("energy", "rank"), [(0.1, 1), (9 / 14, 1), (0.65, 2), (13 / 14, 2), (0.95, 3), (1.0, 3)])
def test_the_energy_rank_is_the_smallest_that_keeps_enough(energy, rank):
    assert energy_rank(with_values([3.0, 2.0, 1.0]), energy) == rank


@pytest.mark.parametrize("energy", [0.0, -0.1, 1.1, np.nan])
def test_an_energy_is_a_share(energy):
    with pytest.raises(ModelError, match="Received the energy"):
        energy_rank(np.eye(2), energy)


@pytest.mark.parametrize("method", ["tucker2", "ht2"])
def test_the_error_is_at_most_what_the_unfoldings_leave_out(method):
    """De Lathauwer et al. 2000, property 10: error² ≤ Σ of the tails of all unfoldings."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 10, 14)).astype(np.float32)
    method = lowrank.methods.METHODS[method]
    matrices = method.unfoldings(kernel)
    ranks = tuple(energy_rank(matrix, 0.7) for matrix in matrices)
    tails = sum(np.sum(np.linalg.svd(matrix, compute_uv=False)[rank:] ** 2) for matrix, rank in zip(matrices, ranks, strict=True))
    assert np.linalg.norm(kernel - method.factorize(kernel, ranks).kernel()) ** 2 <= tails * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(60, 40), (40, 60), (100, 30)])
@pytest.mark.parametrize("rank", [0, 1, 4, 9])
def test_variational_bayes_finds_the_rank_under_noise(shape, rank):
    rng = np.random.default_rng(rank)
    signal = with_values(np.linspace(60, 30, rank), shape, seed=rank) if rank else 0
    assert evbmf_rank(signal + rng.normal(size=shape)) == rank


def test_variational_bayes_refuses_what_is_no_matrix():
    with pytest.raises(ModelError, match="expected a matrix of finite numbers"):
        evbmf_rank(np.zeros((2, 3, 4)))
    assert evbmf_rank(np.zeros((4, 5))) == 0


@pytest.fixture(scope="module")
def network(digits):
    return models.build("resnet8", digits)


@pytest.mark.parametrize("method", ["svd", "tucker2", "ht2", "tensor_ring"])
def test_a_budget_is_kept_and_nearly_used(network, method):
    for what, count in (("parameters", parameters), ("macs", macs)):
        smaller = decompose(network, ranks_within(network, method, **{what: 0.5})).model
        assert 0.4 * count(network) < count(smaller) <= 0.5 * count(network)


def test_bytes_are_those_of_the_weights_that_a_file_stores(network, digits, tmp_path):
    from projectkit import export

    def size(model, name):
        return export.write(model, tmp_path / f"{name}.onnx", precision="float32", compare=digits.val.x[:20]).artifact.size

    smaller = decompose(network, ranks_within(network, "tucker2", bytes=0.4)).model
    graph = 20_000  # bytes that say what the operators are; more of them, since there are more layers
    assert size(smaller, "smaller") < 0.4 * size(network, "whole") + graph


def test_a_larger_budget_leaves_no_larger_error(network):
    def error(share):
        plan = ranks_within(network, "ht2", parameters=share)
        return sum(one.error**2 for one in decompose(network, plan).layers)

    errors = [error(share) for share in (0.2, 0.4, 0.6, 0.9)]
    assert errors == sorted(errors, reverse=True)


def test_the_budget_goes_where_it_buys_the_most(network):
    """Any rank of one layer that was taken less far could not be paid with what another layer gives back for less harm: as good
    as the same energy everywhere, at an equal number of parameters."""
    by_energy = decompose(network, ranks_by_energy(network, "ht2", 0.6))
    share = parameters(by_energy.model) / parameters(network)
    within = decompose(network, ranks_within(network, "ht2", parameters=share))
    assert sum(one.error**2 for one in within.layers) < sum(one.error**2 for one in by_energy.layers)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Received no share"),
        ({"parameters": 0.5, "macs": 0.5}, "expected one share"),
        ({"macs": 0.0}, "expected one share in"),
        ({"bytes": 1.2}, "expected one share in"),
        ({"parameters": 0.001}, r"leaves at least \d+\.\d% of its parameters; 0\.1% is out of reach"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(network, given, says):
    with pytest.raises(ModelError, match=says):
        ranks_within(network, "svd", **given)


def test_an_unknown_factorization_is_named(network):
    with pytest.raises(ModelError, match="There is no factorization 'lu'; known are svd, cp, tucker2"):
        ranks_within(network, "lu", parameters=0.5)


def test_energy_and_bayes_give_every_layer_ranks_that_it_can_have(network):
    for plan in (ranks_by_energy(network, "ht2", 0.8), ranks_by_evbmf(network, "tucker2")):
        assert "logits" in plan and plan["logits"].method == "svd"
        assert all(isinstance(choice, Choice) for choice in plan.values())
        decompose(network, plan)


def test_cp_keeps_the_energy_that_it_is_asked_for(digits):
    small = models.build("convnet", digits, widths=(8, 12))
    kernel = small.get_layer("conv2d_1").kernel.numpy()
    (rank,) = ranks_by_energy(small, "cp", 0.5)["conv2d_1"].rank
    assert relative_error(lowrank.cp(kernel, rank), kernel) ** 2 <= 0.5


def test_validation_allows_what_costs_no_more_than_it_may(trained, digits):
    few = train.accuracy(trained, digits.val)
    plan = ranks_by_validation(trained, "ht2", digits, tolerance=0.03)
    smaller = decompose(trained, plan).model
    assert parameters(smaller) < 0.9 * parameters(trained)
    assert train.accuracy(smaller, digits.val) >= few - 0.03 * len(plan) - 1e-9
    with pytest.raises(ModelError, match="Received the tolerance"):
        ranks_by_validation(trained, "tucker2", digits, tolerance=1.0)
