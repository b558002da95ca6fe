"""What every factorization holds: exact at full rank, better with rank, as many parameters as it says, layers that answer as the
kernel that it stands for."""

import numpy as np
import pytest
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.lowrank import FACTORIZERS, Place, relative_error
from projectkit.lowrank.methods import METHODS

CONVOLUTION, DENSE = (3, 3, 8, 12), (24, 30)
CASES = [(name, shape) for name, method in METHODS.items() for shape in (CONVOLUTION, DENSE) if len(shape) in method.axes]
PLACES = (
    Place((1, 1), (1, 1), "same", (9, 7)),
    Place((1, 1), (1, 1), "valid", (9, 7)),
    Place((2, 2), (1, 1), "same", (9, 8)),
    Place((2, 2), (1, 1), "same", (8, 8)),
    Place((2, 2), (1, 1), "valid", (9, 8)),
)
pytestmark = pytest.mark.parametrize(("name", "shape"), CASES)


def a_kernel(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def full(name, shape):
    most = METHODS[name].most(shape)
    return most if len(most) > 1 else most[0]


def built(thin, input_shape):
    x = inputs = keras.Input(input_shape)
    for one in thin:
        layer = one.kind(**one.options)
        x = layer(x)
        layer.set_weights([np.reshape(value, variable.shape) for value, variable in zip(one.weights, layer.weights, strict=True)])
    return keras.Model(inputs, x)


def answers(kernel, x, place):
    if kernel.ndim == 2:
        return x @ kernel
    layer = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], strides=place.strides, padding=place.padding, use_bias=False)
    layer.build(x.shape)
    layer.set_weights([kernel])
    return layer(x).numpy()


def some_inputs(shape, place, seed=1):
    size = (place.size if len(shape) == 4 else ()) + (shape[-2],)
    return np.random.default_rng(seed).normal(size=(3, *size)).astype(np.float32)


def test_the_full_rank_answers_as_the_layer_does(name, shape):
    kernel, place = a_kernel(shape), PLACES[0]
    x = some_inputs(shape, place)
    factors = FACTORIZERS[name](kernel, full(name, shape))
    wanted = answers(kernel, x, place)
    given = built(factors.thin_layers(place), x.shape[1:]).predict(x, verbose=0)
    assert np.abs(given - wanted).max() / np.abs(wanted).max() < 1e-5
    assert relative_error(factors, kernel) < 1e-5


def test_the_error_falls_with_the_rank(name, shape):
    kernel = a_kernel(shape)
    errors = [relative_error(FACTORIZERS[name](kernel, rank), kernel) for rank in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] < 1


@pytest.mark.parametrize("rank", [1, 3])
def test_it_has_as_many_parameters_as_it_says(name, shape, rank):
    factors = FACTORIZERS[name](a_kernel(shape), rank)
    x = some_inputs(shape, PLACES[0])
    assert built(factors.thin_layers(PLACES[0]), x.shape[1:]).count_params() == factors.parameters


@pytest.mark.parametrize("place", PLACES)
def test_thin_layers_answer_as_the_kernel_that_they_stand_for(name, shape, place):
    factors = FACTORIZERS[name](a_kernel(shape), 3)
    if any(one.kind is keras.layers.PReLU for one in factors.thin_layers(place)):
        pytest.skip("between the factors is a nonlinearity, so that no kernel answers as they do")
    x = some_inputs(shape, place)
    given = built(factors.thin_layers(place), x.shape[1:]).predict(x, verbose=0)
    wanted = answers(factors.kernel().astype(np.float32), x, place)
    assert given.shape == wanted.shape
    np.testing.assert_allclose(given, wanted, atol=1e-4 * np.abs(wanted).max())


def test_twice_the_same_gives_the_same_and_the_kernel_stays(name, shape):
    kernel = a_kernel(shape)
    before = kernel.copy()
    first, second = FACTORIZERS[name](kernel, 2), FACTORIZERS[name](kernel, 2)
    np.testing.assert_array_equal(first.kernel(), second.kernel())
    np.testing.assert_array_equal(kernel, before)


def test_a_kernel_of_low_rank_is_found(name, shape):
    """Of rank one along every axis."""
    rng = np.random.default_rng(3)
    kernel = np.ones(())
    for size in shape:
        kernel = np.multiply.outer(kernel, rng.normal(size=size))
    # A tensor train cuts each vector in factors, of which it is an outer product by luck only.
    rank = 1 if name != "tensor_train" else full(name, shape)
    assert relative_error(FACTORIZERS[name](kernel.astype(np.float32), rank), kernel) < 1e-5


def test_a_kernel_of_zeros_stays_zeros(name, shape):
    assert not np.any(FACTORIZERS[name](np.zeros(shape, np.float32), 2).kernel())


@pytest.mark.parametrize("rank", [0, -1, 1.5, True, 10_000, (1, 1, 1, 1, 1)])
def test_ranks_that_make_no_sense_are_refused(name, shape, rank):
    with pytest.raises(ModelError, match=r"received the rank.*; expected"):
        FACTORIZERS[name](a_kernel(shape), rank)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(name, shape, bad):
    kernel = a_kernel(shape)
    kernel.flat[0] = bad
    with pytest.raises(ModelError, match=r"1 of .* weights are NaN or infinite; expected finite ones"):
        FACTORIZERS[name](kernel, 2)


def test_another_number_of_axes_is_refused(name, shape):
    with pytest.raises(ModelError, match=r"received a kernel of shape \(2, 2, 2\); expected"):
        FACTORIZERS[name](np.zeros((2, 2, 2), np.float32), 1)
