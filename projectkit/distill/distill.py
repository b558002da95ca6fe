"""Training with a teacher."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from projectkit.distill.checks import Loss, name_of, refuse_labels
from projectkit.distill.hinton import hinton
from projectkit.distill.taught import Match, Share, Taught
from projectkit.distill.teacher import digest_of_model, teacher_logits
from projectkit.errors import ModelError
from projectkit.train import History
from projectkit.train.fit import optimizer_for, refuse_nonsense, run_epochs
from projectkit.types import Dataset, Recipe

TRIED = 4  # images


def distill(
    student: keras.Model,
    teacher: keras.Model | np.ndarray,
    dataset: Dataset,
    recipe: Recipe,
    *,
    loss: Loss = hinton,
    features: Sequence[Match] = (),
    warm_up: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    after_epoch: Callable[[keras.Model], None] | None = None,
) -> History:
    """Trains `student` in place, as `train.fit` does, on the labels and the teacher's answers to `dataset.train`.

    teacher: a model, which stays as it was, or its logits from `teacher_logits`, (n, classes). Images with the label −1 teach by
    the teacher alone. loss: a member of LOSSES or one's own, its options given by functools.partial; features: what layers
    learn from layers. Where images are augmented or layers matched, the teacher answers each batch anew, else once for all.
    warm_up: epochs over which training passes from the labels alone to the whole objective, 0 for none: in epoch k = 1, 2, … it
    is k/warm_up of loss and matches, the rest cross-entropy with the labels, as Zhao et al. let their two parts grow.
    A student that was pruned, masked or prepared for quantization is trained as it is. In the history, `loss` is the
    distillation loss, `accuracy` that of the labelled images, and `val_loss` the cross-entropy without the teacher.

    Two runs with equal arguments give equal weights; `checkpoint`, `progress` and `after_epoch` are those of `train.fit`.
    Raises ModelError as `train.fit` does, and when teacher, labels, loss, layers or warm-up do not fit the student, the dataset
    or the recipe.
    """
    refuse_nonsense(student, dataset, recipe)
    refuse_labels(dataset.train.y, len(dataset.classes))
    if recipe.label_smoothing:
        raise ModelError(
            f"Received a recipe with label smoothing {recipe.label_smoothing}; expected 0: the teacher's answers are the smooth "
            "labels. Set it to 0."
        )
    share = _rising(warm_up, recipe, dataset)
    known = _known_logits(student, teacher, dataset, recipe, features)
    model = None if isinstance(teacher, np.ndarray) else teacher
    taught = Taught(student, model, loss, features, seed=recipe.seed, share=share)
    few = dataset.train.take(TRIED)
    taught.try_one_step(few.x, few.y, None if known is None else known[:TRIED])
    taught.compile(optimizer=optimizer_for(recipe, dataset))
    return run_epochs(
        taught,
        dataset,
        recipe,
        beside=known,
        method=_method(teacher, loss, features, warm_up) if checkpoint is not None else None,
        checkpoint=checkpoint,
        progress=progress,
        after_epoch=None if after_epoch is None else lambda _: after_epoch(student),
    )


def _rising(warm_up: int, recipe: Recipe, dataset: Dataset) -> Share:
    """Step of the optimizer → share of the objective: by the step alone, so that a run that was stopped goes on as it was."""
    if warm_up not in range(recipe.epochs + 1):
        raise ModelError(
            f"Received a warm-up of {warm_up} epochs; expected a whole number from 0 to the recipe's {recipe.epochs}. Give fewer."
        )
    steps = -(-len(dataset.train) // recipe.batch_size)

    def share(step: tf.Tensor) -> tf.Tensor:
        epoch = tf.cast(step // steps + 1, tf.float32)
        return tf.minimum(epoch / max(warm_up, 1), 1.0)

    return share


def _known_logits(
    student: keras.Model, teacher: keras.Model | np.ndarray, dataset: Dataset, recipe: Recipe, features: Sequence[Match]
) -> np.ndarray | None:
    """The teacher's logits of all training images where they stay the same from epoch to epoch, else None."""
    anew = bool(features) or recipe.augmentation != "none"
    if isinstance(teacher, np.ndarray):
        if anew:
            why = "layers are matched" if features else f'the recipe has the augmentation "{recipe.augmentation}"'
            raise ModelError(f"Received a teacher's logits, but {why}; expected a model that answers each batch. Give the model.")
        expected = (len(dataset.train), len(dataset.classes))
        if teacher.shape != expected or teacher.dtype.kind not in "fiu" or not np.all(np.isfinite(teacher)):
            raise ModelError(
                f"Received a teacher's logits of shape {teacher.shape} and type {teacher.dtype}; expected {expected}, all "
                "finite. Give teacher_logits(teacher, dataset.train)."
            )
        return teacher.astype(np.float32)
    refuse_nonsense(teacher, dataset, recipe)
    own = {id(variable) for variable in student.variables}
    if any(id(variable) in own for variable in teacher.variables):
        raise ModelError(
            f"{student.name} shares weights with its teacher, which would change while it teaches; expected two separate models. "
            "Give models.copy(…) of one."
        )
    return None if anew else teacher_logits(teacher, dataset.train)


def _method(teacher: keras.Model | np.ndarray, loss: Loss, features: Sequence[Match], warm_up: int) -> str:
    """What a checkpoint must have been taught to be gone on with, as text."""
    if isinstance(teacher, np.ndarray):
        source = hashlib.sha256(np.ascontiguousarray(teacher).data).hexdigest()
    else:
        source = digest_of_model(teacher)
    matches = [f"{match.student}<{match.teacher}:{name_of(match.loss)}*{match.weight}{match.regressor}" for match in features]
    return " ".join([name_of(loss), source[:24], *matches, *([f"warm-up {warm_up}"] if warm_up else [])])
