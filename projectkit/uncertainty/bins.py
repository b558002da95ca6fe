"""Forecasts in bins: how often was the thing true of which one had said p?"""

from dataclasses import dataclass

import numpy as np

from projectkit.errors import UncertaintyError

BINS = 15  # as Guo et al., 2017, and most since


@dataclass(frozen=True, slots=True, eq=False)
class Binned:
    """Examples in bins. index: (n,) the bin of each; count, confidence, frequency: (bins,) how many there are, the mean forecast,
    and how often it came true; both are 0 in an empty bin."""

    index: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    frequency: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """|frequency − confidence| of each bin, 0 in an empty one."""
        return np.abs(self.frequency - self.confidence)


def in_bins(forecast: np.ndarray, happened: np.ndarray, edges: np.ndarray) -> Binned:
    """Sorts forecasts (n,) into the bins (edges[b], edges[b + 1]], the first and last of which take what lies beyond, too.

    happened: (n,) 0 or 1.
    """
    index = np.searchsorted(edges[1:-1], forecast)  # left: a forecast on an edge belongs to the bin below it
    count = np.bincount(index, minlength=len(edges) - 1)
    some = np.maximum(count, 1)
    confidence, frequency = (np.bincount(index, weights=values, minlength=len(count)) / some for values in (forecast, happened))
    return Binned(index, count, confidence, frequency)


def equal_width(bins: int) -> np.ndarray:
    """The edges of `bins` equally wide bins of [0, 1]."""
    return np.linspace(0.0, 1.0, _number(bins) + 1)


def equal_mass(forecast: np.ndarray, bins: int) -> np.ndarray:
    """The edges of `bins` bins that hold equally many forecasts; equal forecasts stay together."""
    return np.quantile(forecast, np.linspace(0.0, 1.0, _number(bins) + 1))


def _number(bins: int) -> int:
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise UncertaintyError(f"Received {bins!r} bins; expected a whole number of at least 1. Give for example {BINS}.")
    return bins
