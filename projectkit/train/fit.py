"""The training loop."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.train import checkpoint as checkpoints
from projectkit.train.augment import AUGMENTATIONS
from projectkit.train.history import History
from projectkit.train.passes import Portions, pass_over, rows
from projectkit.types import Dataset, Recipe

if TYPE_CHECKING:
    import tensorflow as tf
    from tqdm import tqdm

VALIDATION_BATCH = 256  # images
Results = dict[str, float]  # of an epoch, by the names that History has


def fit(
    model: keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    *,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    after_epoch: Callable[[keras.Model], None] | None = None,
) -> History:
    """Trains `model` in place on `dataset.train` and watches `dataset.val`; `after_epoch` may change its weights in between.

    Two runs with the same model seed, dataset and recipe give equal weights: the order of the examples depends on
    (seed, epoch) only. With `checkpoint`, the state is written after every epoch and a later call with the same
    arguments goes on from there (dropout masks, if the model has any, are drawn anew).

    Raises ModelError when the model does not fit the dataset, the recipe makes no sense, the checkpoint belongs to another
    run, or the loss stops being finite (the model is spoilt then; the checkpoint is that of the epoch before).
    """
    refuse_nonsense(model, dataset, recipe)
    _refuse_unlabelled(dataset)
    optimizer, loss = optimizer_for(recipe, dataset), _loss(recipe, len(dataset.classes))
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return run_epochs(model, dataset, recipe, checkpoint=checkpoint, progress=progress, after_epoch=after_epoch)


def run_epochs(
    model: keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    *,
    beside: np.ndarray | None = None,
    method: str | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    after_epoch: Callable[[keras.Model], None] | None = None,
    around_epoch: Callable[[Callable[[], Results]], Results] | None = None,
) -> History:
    """`fit` for a model that is compiled already and brings its own loss; its metrics are "loss" and "accuracy".

    beside: an array (n, …) with something more for each training image; the model's targets are (label, that) then. method: what
    a checkpoint says besides recipe and dataset, so that no other kind of training goes on from it. around_epoch: calls the epoch
    that it is given and gives its results; it may put weights back.
    """
    model.optimizer.build(model.trainable_variables)
    history = History()
    if checkpoint is not None and Path(checkpoint).exists():
        history = checkpoints.load(Path(checkpoint), model, recipe, dataset, method)

    targets = dataset.train.y if beside is None else (dataset.train.y, beside)
    learn = pass_over(model, model.train_step, recipe.batch_size, like=(dataset.train.x, targets))
    examine = pass_over(model, model.test_step, VALIDATION_BATCH, like=(dataset.val.x, dataset.val.y))
    portions = Portions(recipe.batch_size)

    def one_epoch(epoch: int) -> Results:
        rng = np.random.default_rng((recipe.seed, epoch))
        order = rng.permutation(len(dataset.train))
        x = AUGMENTATIONS[recipe.augmentation](dataset.train.x[order], rng)
        model.reset_metrics()
        for portion in portions.of(len(order)):
            learned = learn(x[portion], rows(targets, order[portion]))
            bar.update(-(-(portion.stop - portion.start) // recipe.batch_size))
        model.reset_metrics()
        found = examine(dataset.val.x, dataset.val.y)
        return {name: float(value) for name, value in learned.items()} | {f"val_{name}": float(found[name]) for name in found}

    # Once, not before every epoch: TensorFlow forgets what it has prepared of a graph whenever its seed is set.
    keras.utils.set_random_seed(recipe.seed * 10_000 + len(history))
    steps = _steps(recipe, dataset)
    with _bar(model.name, recipe.epochs * steps, len(history) * steps, progress) as bar:
        for epoch in range(len(history), recipe.epochs):
            started = time.perf_counter()
            run = partial(one_epoch, epoch)
            last = run() if around_epoch is None else around_epoch(run)
            history = history.then(**last, seconds=time.perf_counter() - started)
            bar.set_postfix_str(f"loss {last['loss']:.3f}, validation accuracy {last['val_accuracy']:.1%}")
            if not np.all(np.isfinite([last["loss"], last["val_loss"]])):
                raise ModelError(
                    f"{model.name}: the loss became {last['loss']} (validation {last['val_loss']}) in epoch {epoch + 1}. "
                    f"Lower the learning rate (it is {recipe.learning_rate})."
                )
            if after_epoch is not None:
                after_epoch(model)
            if checkpoint is not None:
                checkpoints.save(Path(checkpoint), model, history, recipe, dataset, method)
    return history


def _bar(title: str, total: int, done: int, visible: bool) -> "tqdm":
    """A progress bar over all steps of all epochs."""
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, desc=title, unit="step", disable=not visible, leave=True)


def refuse_nonsense(model: keras.Model, dataset: Dataset, recipe: Recipe) -> None:
    """Raises ModelError when the model does not fit the dataset or the recipe makes no sense."""
    if model.output_shape[-1] != len(dataset.classes):
        raise ModelError(
            f"{model.name} has {model.output_shape[-1]} outputs, {dataset.name} has {len(dataset.classes)} classes. "
            "Build the model for this dataset."
        )
    if tuple(model.input_shape[1:]) != tuple(dataset.shape):
        raise ModelError(
            f"{model.name} takes images of {tuple(model.input_shape[1:])}, {dataset.name} has {tuple(dataset.shape)}. "
            "Build the model for this dataset."
        )
    if recipe.epochs < 1 or recipe.batch_size < 1 or not 0 < recipe.learning_rate < np.inf:
        raise ModelError(f"A recipe needs at least one epoch, a batch and a positive learning rate, got {recipe}.")
    if recipe.augmentation not in AUGMENTATIONS:
        raise ModelError(f"There is no augmentation {recipe.augmentation!r}; known are {', '.join(AUGMENTATIONS)}.")
    if not 0 <= recipe.label_smoothing < 1 or not 0 <= recipe.weight_decay < np.inf:
        raise ModelError(f"Label smoothing lies in [0, 1) and weight decay is not negative, got {recipe}.")


def _refuse_unlabelled(dataset: Dataset) -> None:
    y = dataset.train.y
    if len(y) and not 0 <= y.min() <= y.max() < len(dataset.classes):
        raise ModelError(
            f"{dataset.name} has labels from {y.min()} to {y.max()}; expected 0 to {len(dataset.classes) - 1}. "
            "Train on the labelled images only: distill.labelled(dataset) has them."
        )


def _steps(recipe: Recipe, dataset: Dataset) -> int:
    return -(-len(dataset.train) // recipe.batch_size)


def optimizer_for(recipe: Recipe, dataset: Dataset) -> keras.optimizers.Optimizer:
    """The recipe's optimizer, with its learning rate over all steps. Raises ModelError for an unknown optimizer or schedule."""
    optimizers = {
        "adam": keras.optimizers.Adam,
        "sgd": lambda rate, **options: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **options),
    }
    if recipe.optimizer not in optimizers:
        raise ModelError(f"There is no optimizer {recipe.optimizer!r}; known are {', '.join(optimizers)}.")
    if recipe.schedule not in ("cosine", "steps", "constant"):
        raise ModelError(f'There is no schedule {recipe.schedule!r}; known are "cosine", "steps" and "constant".')
    rate, total = recipe.learning_rate, recipe.epochs * _steps(recipe, dataset)
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, total)
    elif recipe.schedule == "steps":
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([total // 2, total * 3 // 4], [rate, rate / 10, rate / 100])
    return optimizers[recipe.optimizer](rate, weight_decay=recipe.weight_decay or None)


def _loss(recipe: Recipe, classes: int) -> "Callable[[tf.Tensor, tf.Tensor], tf.Tensor]":
    if not recipe.label_smoothing:
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)

    def loss(labels: "tf.Tensor", logits: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        return smooth(tf.one_hot(tf.cast(tf.reshape(labels, [-1]), tf.int32), classes), logits)

    return loss
