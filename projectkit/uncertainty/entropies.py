"""Aleatoric and epistemic uncertainty: what comes from the image, and what from a network that has seen too little."""

from dataclasses import dataclass

import numpy as np

from projectkit.uncertainty.probabilities import valid_probabilities


@dataclass(frozen=True, slots=True, eq=False)
class EntropySplit:
    """total = aleatoric + epistemic, each (n,) in nats."""

    total: np.ndarray
    aleatoric: np.ndarray
    epistemic: np.ndarray


def entropy_split(samples: np.ndarray) -> EntropySplit:
    """The entropy of the mean of `samples` (samples, n, classes) in two parts.

    total: H(mean of p); aleatoric: the mean of H(p), a doubt that all samples share; epistemic: the difference, the mutual
    information of label and network, which is large where the samples contradict each other (Depeweg et al., "Decomposition of
    uncertainty", 2018; Houlsby et al., "Bayesian active learning", 2011). Raises UncertaintyError where there is no probability.
    """
    samples = valid_probabilities(samples, axes=3)
    total, aleatoric = entropy(samples.mean(axis=0)), entropy(samples).mean(axis=0)
    return EntropySplit(total, aleatoric, np.maximum(total - aleatoric, 0.0))  # rounding could leave −1e-17


def entropy(probs: np.ndarray) -> np.ndarray:
    """−Σ_c p_c ln p_c in nats over the last axis, 0 ln 0 being 0."""
    return -(probs * np.log(np.where(probs > 0, probs, 1.0))).sum(axis=-1)
