"""The Laplace approximation against Jacobians from automatic differentiation and matrices that are built in full."""

import numpy as np
import pytest

from projectkit import models, train, uncertainty
from projectkit.errors import UncertaintyError
from projectkit.types import Recipe
from projectkit.uncertainty import SCORES
from projectkit.uncertainty.laplace import PRIORS, log_marginal_likelihood
from projectkit.uncertainty.precisions import STRUCTURES, Diagonal, Full, Kronecker

# isort: split
import tensorflow as tf

D, C, N = 4, 3, 25
PRIOR = 0.7


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    features = np.hstack([rng.normal(0, 1, (N, D - 1)), np.ones((N, 1))])
    weights = rng.normal(0, 1, (D, C))
    return features, weights, uncertainty.softmax(features @ weights)


@pytest.fixture(scope="module")
def matrix(sample):
    """Σ Jᵀ Λ J, J being the Jacobian of the logits with respect to the weights, by automatic differentiation."""
    features, weights, probs = sample
    variable, total = tf.Variable(weights), np.zeros((D * C, D * C))
    for phi, p in zip(features, probs, strict=True):
        with tf.GradientTape() as tape:
            logits = tf.linalg.matvec(variable, phi, transpose_a=True)
        jacobian = tape.jacobian(logits, variable).numpy().reshape(C, D * C)
        total += jacobian.T @ (np.diag(p) - np.outer(p, p)) @ jacobian
    return total


def whole(precision) -> np.ndarray:
    """The (d·c, d·c) matrix that a structure stands for."""
    if isinstance(precision, Full):
        return (precision.vectors * precision.values) @ precision.vectors.T
    if isinstance(precision, Diagonal):
        return np.diag(precision.values.ravel())
    first = (precision.feature_vectors * precision.feature_values) @ precision.feature_vectors.T
    return np.kron(first, (precision.class_vectors * precision.class_values) @ precision.class_vectors.T)


def test_the_full_matrix_is_that_of_the_jacobians(sample, matrix):
    assert whole(Full.of(sample[0], sample[2])) == pytest.approx(matrix, abs=1e-9)


def test_the_diagonal_is_its_diagonal(sample, matrix):
    assert Diagonal.of(sample[0], sample[2]).values.ravel() == pytest.approx(np.diag(matrix))


def test_the_kronecker_factors_are_their_definition(sample):
    features, _, probs = sample
    first = sum(np.outer(phi, phi) for phi in features)
    second = sum(np.diag(p) - np.outer(p, p) for p in probs) / N
    assert whole(Kronecker.of(features, probs)) == pytest.approx(np.kron(first, second), abs=1e-9)


def test_for_one_image_the_kronecker_product_is_exact(sample):
    features, _, probs = sample
    assert whole(Kronecker.of(features[:1], probs[:1])) == pytest.approx(whole(Full.of(features[:1], probs[:1])), abs=1e-9)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_determinant_variances_and_draws_are_those_of_the_inverse(sample, structure):
    features, _, probs = sample
    precision = STRUCTURES[structure].of(features, probs)
    regular = whole(precision) + PRIOR * np.eye(D * C)
    covariance = np.linalg.inv(regular)
    assert precision.log_determinant(PRIOR) == pytest.approx(np.linalg.slogdet(regular)[1])
    jacobians = np.stack([np.kron(phi, np.eye(C)) for phi in features])  # of logits to weights, row by row
    of_logits = jacobians @ covariance @ jacobians.swapaxes(1, 2)
    assert precision.variances(PRIOR, features) == pytest.approx(np.diagonal(of_logits, axis1=1, axis2=2))
    draws = precision.draw(PRIOR, 20_000, np.random.default_rng(0)).reshape(20_000, -1)
    assert draws.mean(axis=0) == pytest.approx(0, abs=0.05)
    assert np.cov(draws.T) == pytest.approx(covariance, abs=0.05)


@pytest.fixture(scope="module")
def network(digits):
    """Trained long on few images: sure of itself."""
    from dataclasses import replace

    few = replace(digits, train=digits.train.take(300), digest="few")
    model = models.build("mlp", few, widths=(24,))
    train.fit(model, few, Recipe(epochs=20, batch_size=32, learning_rate=1e-2), progress=False)
    return model, few


@pytest.mark.parametrize("structure", STRUCTURES)
def test_the_chosen_prior_has_the_largest_marginal_likelihood(network, structure):
    """−½ (ln det(H + prior I) − p ln prior + prior |mean|²), from the whole matrix."""
    posterior = uncertainty.fit_laplace(*network, structure=structure)
    matrix, size = whole(posterior.precision), posterior.mean.size

    def evidence(prior):
        determinant = np.linalg.slogdet(matrix + prior * np.eye(size))[1]
        return -0.5 * (determinant - size * np.log(prior) + prior * np.sum(posterior.mean**2))

    for prior in (0.01, 1.0, 30.0):
        assert log_marginal_likelihood(posterior, prior) == pytest.approx(evidence(prior), rel=1e-6)
    assert PRIORS[0] < posterior.prior < PRIORS[-1]
    assert evidence(posterior.prior) >= max(evidence(prior) for prior in PRIORS) - 1e-6


def test_validation_chooses_a_prior_that_no_other_beats(network):
    model, few = network
    chosen = uncertainty.fit_laplace(model, few, prior="validation")

    def loss(prior):
        posterior = uncertainty.fit_laplace(model, few, prior=prior)
        return SCORES["nll"](uncertainty.laplace(posterior, few.val.x, link="probit")[0], few.val.y)

    assert loss(chosen.prior) <= min(loss(prior) for prior in (0.01, 0.1, 1.0, 10.0, 100.0))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_it_is_less_sure_than_the_network_of_images_unlike_any_digit(network, structure):
    model, few = network
    noise = np.random.default_rng(0).random((200, 8, 8, 1)).astype(np.float32)
    posterior = uncertainty.fit_laplace(model, few, structure=structure)
    plain = uncertainty.plain(model, noise)[0].max(axis=1).mean()
    for link in ("samples", "probit"):
        assert uncertainty.predictive(uncertainty.laplace(posterior, noise, link=link)).max(axis=1).mean() < plain - 0.02


def test_a_prior_that_leaves_no_doubt_gives_the_plain_answer(network):
    model, few = network
    posterior = uncertainty.fit_laplace(model, few, prior=1e12)
    plain = uncertainty.plain(model, few.test.x[:50])
    for link in ("samples", "probit"):
        samples = uncertainty.laplace(posterior, few.test.x[:50], link=link)
        assert np.abs(samples - plain).max() < 1e-3


def test_the_probit_link_is_its_formula_and_less_sure_than_many_samples(network):
    model, few = network
    x, posterior = few.test.x[:200], uncertainty.fit_laplace(model, few)
    closed, drawn = (
        uncertainty.predictive(uncertainty.laplace(posterior, x, samples=400, link=link)) for link in ("probit", "samples")
    )
    features = np.hstack([posterior.body.predict(x, verbose=0), np.ones((len(x), 1))])
    covariance = np.linalg.inv(whole(posterior.precision) + posterior.prior * np.eye(posterior.mean.size))
    jacobians = np.stack([np.kron(phi, np.eye(10)) for phi in features])
    variance = np.einsum("ncp,pq,ncq->nc", jacobians, covariance, jacobians)
    expected = uncertainty.softmax(features @ posterior.mean / np.sqrt(1 + np.pi / 8 * variance))
    assert closed == pytest.approx(expected, abs=1e-5)
    sure = [probs.max(axis=1).mean() for probs in (closed, drawn, uncertainty.plain(model, x)[0])]
    assert sure == sorted(sure)


def test_the_posterior_stays_as_it_was_when_the_network_is_trained_on(network):
    model, few = models.copy(network[0]), network[1]
    posterior = uncertainty.fit_laplace(model, few)
    before = uncertainty.laplace(posterior, few.test.x[:5])
    model.set_weights([0 * weight for weight in model.get_weights()])
    assert np.array_equal(uncertainty.laplace(posterior, few.test.x[:5]), before)


@pytest.mark.parametrize("prior", [0, -1.0, float("nan"), "the best"])
def test_a_prior_that_is_no_precision_is_refused(network, prior):
    with pytest.raises(UncertaintyError, match=r"Received the prior .*; expected a precision above 0.*Give"):
        uncertainty.fit_laplace(*network, prior=prior)


def test_an_unknown_structure_or_link_is_refused(network):
    with pytest.raises(UncertaintyError, match=r"Received the structure 'kron'; expected one of full, kronecker, diagonal"):
        uncertainty.fit_laplace(*network, structure="kron")
    with pytest.raises(UncertaintyError, match=r"Received the link 'logit'; expected \"samples\" or \"probit\""):
        uncertainty.laplace(uncertainty.fit_laplace(*network), network[1].test.x[:2], link="logit")


def test_a_full_matrix_that_is_too_large_is_refused(digits):
    with pytest.raises(UncertaintyError, match=r"Received a last layer of 4010 weights .*; expected at most 3000\. Give"):
        uncertainty.fit_laplace(models.build("mlp", digits, widths=(400,)), digits, structure="full")


def test_a_model_that_does_not_end_in_logits_is_refused(digits):
    import tf_keras as keras

    model = models.build("mlp", digits)
    ended = keras.Model(model.inputs, keras.layers.Softmax(name="probabilities")(model.output))
    with pytest.raises(UncertaintyError, match=r"ends in probabilities \(Softmax\); expected a dense layer.*Build it"):
        uncertainty.fit_laplace(ended, digits)
