"""What the data say about the last layer's weights: a precision matrix, kept whole or in a shape that is cheap to invert.

A structure is made of features (n, d) and probabilities (n, c) and stands for a (d·c, d·c) matrix over weights (d, c), row by
row. The prior adds `prior` to its diagonal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Precision(Protocol):
    """One structure of the generalized Gauss-Newton matrix H. d: features with the bias, c: classes."""

    @classmethod
    def of(cls, features: np.ndarray, probs: np.ndarray) -> "Precision":
        """The structure of features (n, d) and probabilities (n, c)."""

    def log_determinant(self, prior: float) -> float:
        """ln det(H + prior · I)."""

    def draw(self, prior: float, samples: int, rng: np.random.Generator) -> np.ndarray:
        """Weights from N(0, (H + prior · I)⁻¹): (samples, d, c)."""

    def variances(self, prior: float, features: np.ndarray) -> np.ndarray:
        """The variance of each logit of each row of features (n, d), under those weights: (n, c)."""


@dataclass(frozen=True, slots=True, eq=False)
class Full:
    """H itself: `values` (d·c,) and `vectors` (d·c, d·c) of its spectrum."""

    values: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, probs: np.ndarray) -> "Full":
        """H = Σ_n φ_n φ_nᵀ ⊗ (diag(p_n) − p_n p_nᵀ)."""
        d, c = features.shape[1], probs.shape[1]
        matrix = np.empty((d, c, d, c))
        for first in range(c):
            for second in range(c):
                curvature = probs[:, first] * ((first == second) - probs[:, second])
                matrix[:, first, :, second] = (features * curvature[:, None]).T @ features
        values, vectors = np.linalg.eigh(matrix.reshape(d * c, d * c))
        return cls(np.maximum(values, 0.0), vectors)

    def log_determinant(self, prior: float) -> float:
        return float(np.log(self.values + prior).sum())

    def draw(self, prior: float, samples: int, rng: np.random.Generator) -> np.ndarray:
        noise = rng.standard_normal((samples, len(self.values))) / np.sqrt(self.values + prior)
        return noise @ self.vectors.T

    def variances(self, prior: float, features: np.ndarray) -> np.ndarray:
        d = features.shape[1]
        vectors = self.vectors.reshape(d, -1, len(self.values))
        return np.stack(
            [(features @ vectors[:, cls]) ** 2 @ (1 / (self.values + prior)) for cls in range(vectors.shape[1])], axis=1
        )


@dataclass(frozen=True, slots=True, eq=False)
class Kronecker:
    """H ≈ A ⊗ B (Martens and Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature", 2015).

    A = Σ_n φ_n φ_nᵀ (d, d), B = mean of diag(p_n) − p_n p_nᵀ (c, c), each by its spectrum: the prior is added to the products of
    their eigenvalues, not to the factors.
    """

    feature_values: np.ndarray
    feature_vectors: np.ndarray
    class_values: np.ndarray
    class_vectors: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, probs: np.ndarray) -> "Kronecker":
        curvature = np.diag(probs.mean(axis=0)) - probs.T @ probs / len(probs)
        feature_values, feature_vectors = np.linalg.eigh(features.T @ features)
        class_values, class_vectors = np.linalg.eigh(curvature)
        return cls(np.maximum(feature_values, 0.0), feature_vectors, np.maximum(class_values, 0.0), class_vectors)

    def _values(self, prior: float) -> np.ndarray:
        return self.feature_values[:, None] * self.class_values + prior

    def log_determinant(self, prior: float) -> float:
        return float(np.log(self._values(prior)).sum())

    def draw(self, prior: float, samples: int, rng: np.random.Generator) -> np.ndarray:
        values = self._values(prior)
        noise = rng.standard_normal((samples, *values.shape)) / np.sqrt(values)
        return self.feature_vectors @ noise @ self.class_vectors.T

    def variances(self, prior: float, features: np.ndarray) -> np.ndarray:
        return (features @ self.feature_vectors) ** 2 @ (1 / self._values(prior)) @ (self.class_vectors**2).T


@dataclass(frozen=True, slots=True, eq=False)
class Diagonal:
    """The diagonal of H alone: `values` (d, c)."""

    values: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, probs: np.ndarray) -> "Diagonal":
        return cls((features**2).T @ (probs * (1 - probs)))

    def log_determinant(self, prior: float) -> float:
        return float(np.log(self.values + prior).sum())

    def draw(self, prior: float, samples: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((samples, *self.values.shape)) / np.sqrt(self.values + prior)

    def variances(self, prior: float, features: np.ndarray) -> np.ndarray:
        return features**2 @ (1 / (self.values + prior))


STRUCTURES: Mapping[str, type[Precision]] = {"full": Full, "kronecker": Kronecker, "diagonal": Diagonal}
