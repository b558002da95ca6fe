"""Trains a model by a recipe, with checkpoints that survive a kill.

history = fit(model, dataset, Recipe(epochs=10))
history.plot()
"""

from projectkit import tensorflow_quietly  # noqa: F401 — before anything below imports tf_keras

# isort: split
from projectkit.train.evaluate import accuracy, logits
from projectkit.train.fit import fit
from projectkit.train.history import History
from projectkit.train.precision import in_precision

__all__ = ["History", "accuracy", "fit", "in_precision", "logits"]
