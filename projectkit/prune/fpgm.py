"""Filters near the geometric median."""

import numpy as np
import tf_keras as keras

from projectkit.prune.magnitude import filters
from projectkit.types import Split


def fpgm(model: keras.Model, layer_name: str, data: Split, *, seed: int = 0) -> np.ndarray:
    """Σ_k ‖F_j − F_k‖₂ over the layer's filters: (channels,). A filter that lies close to all others can be replaced by them
    (He et al., "Filter pruning via geometric median", 2019, equation 4). The data is not looked at."""
    weights = filters(model, layer_name)
    return np.array([np.linalg.norm(weights - one, axis=1).sum() for one in weights])
