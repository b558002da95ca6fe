"""Training on perturbed images: what adversarial training and training on noise share. Needs TensorFlow."""

from projectkit import tensorflow_quietly  # noqa: F401 — before anything below imports tf_keras

# isort: split
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras

from projectkit.errors import RobustnessError
from projectkit.train import History
from projectkit.train.fit import Results, optimizer_for, refuse_nonsense, run_epochs
from projectkit.types import Dataset, Recipe

WATCHED = 1000  # validation images that are attacked after every epoch
WATCH_STEPS = 10  # of PGD on them
FALL = 0.2  # of the accuracy under PGD, after which an epoch is taken back

Attack = Callable[..., tf.Tensor]  # (network, x, labels, strength, seed) -> changed x
Objective = Callable[..., tuple[tf.Tensor, tf.Tensor]]  # (network, x, changed x, labels) -> (scalar, logits of changed x)


@dataclass(frozen=True, slots=True)
class TrainingMethod:
    """What a network learns from. name: tells one kind of training from another, in a checkpoint. strength: ε, or σ of noise.

    attack: changes a batch; None where the training's own gradients do, over `replays` of it. undo_collapse: an epoch that loses
    FALL of the accuracy under `validation_attack` is taken back. validation_attack: changes the validation images; PGD when None.
    """

    name: str
    strength: float
    attack: Attack | None
    objective: Objective
    replays: int = 1
    undo_collapse: bool = False
    validation_attack: Attack | None = None


def fit_perturbed(
    model: keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    method: TrainingMethod,
    *,
    warm_up: int,
    checkpoint: str | Path | None,
    progress: bool,
) -> History:
    """Trains `model` in place by `method`. Raises RobustnessError and ModelError as its callers say."""
    refuse_nonsense(model, dataset, recipe)
    _refuse(dataset, recipe, warm_up)
    batches = -(-len(dataset.train) // recipe.batch_size) * method.replays
    kind = TrainedOnPerturbed if method.attack is not None else Replayed
    trained = kind(model, method, ramp=warm_up * batches, recipe=recipe)
    steps = replace(recipe, epochs=recipe.epochs * method.replays)  # what the learning rate's schedule spans
    trained.compile(optimizer=optimizer_for(steps, dataset))
    return run_epochs(
        trained,
        replace(dataset, val=dataset.val.take(WATCHED)),
        recipe,
        method=f"{method.name}, warm-up {warm_up}",
        checkpoint=checkpoint,
        progress=progress,
        around_epoch=trained.undo_when_collapsed if method.undo_collapse else None,
    )


class TrainedOnPerturbed(keras.Model):
    """Trains `network` by `method`, whose strength grows over the first `ramp` steps of the optimizer.

    All that is random depends on the recipe's seed and the step alone, so that a run that was stopped goes on as it was.
    """

    def __init__(self, network: keras.Model, method: TrainingMethod, *, ramp: int, recipe: Recipe):
        super().__init__(name=network.name)
        self._network, self._method, self._ramp, self._seed = network, method, ramp, recipe.seed
        self._validation_attack = method.validation_attack or partial(
            pgd_on_cross_entropy, steps=WATCH_STEPS, stride=2.5 / WATCH_STEPS
        )
        # The accuracy under the validation attack after the last epoch that counts.
        self._held = tf.Variable(0.0, trainable=False, name="held")
        self._loss_mean = keras.metrics.Mean(name="loss")
        self._hits = keras.metrics.Mean(name="accuracy")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Set back to 0 before every epoch."""
        return [self._loss_mean, self._hits]

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One batch: the attack changes it, the network learns from it."""
        x, labels = data
        labels = tf.cast(labels, tf.int32)
        attack = self._method.attack
        if attack is None:
            raise RobustnessError(f"{self._method.name}: has no attack, expected one here. Train it by replaying batches.")
        changed = attack(self._network, x, labels, self._strength(), self._draw())
        with tf.GradientTape() as tape:
            loss, logits = self._method.objective(self._network, x, changed, labels)
            total = loss + regularization(self._network)
        self.optimizer.minimize(total, self._network.trainable_variables, tape=tape)
        return self._report(loss, logits, labels)

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Cross-entropy and accuracy under the validation attack, at the whole strength."""
        x, labels = data
        labels = tf.cast(labels, tf.int32)
        changed = self._validation_attack(self._network, x, labels, self._method.strength, tf.constant([self._seed, 0]))
        logits = answers(self._network, changed)
        return self._report(cross_entropy(labels, logits), logits, labels)

    def undo_when_collapsed(self, epoch: Callable[[], Results]) -> Results:
        """Takes the epoch back when too much of the accuracy under the validation attack is lost."""
        before = [variable.numpy() for variable in self._lasting()]
        results = epoch()
        if results["val_accuracy"] < float(self._held) - FALL:
            for variable, value in zip(self._lasting(), before, strict=True):
                variable.assign(value)
        else:
            self._held.assign(results["val_accuracy"])
        return results

    def _lasting(self) -> list[tf.Variable]:
        """What an epoch that is taken back gives back: all but the step, by which the learning rate falls."""
        step = self.optimizer.iterations
        return [*self._network.variables, *(variable for variable in self.optimizer.variables if variable is not step)]

    def _strength(self) -> tf.Tensor:
        if not self._ramp:
            return tf.constant(self._method.strength, tf.float32)
        share = tf.cast(self.optimizer.iterations + 1, tf.float32) / self._ramp
        return self._method.strength * tf.minimum(share, 1.0)

    def _draw(self) -> tf.Tensor:
        return tf.stack([tf.constant(self._seed, tf.int64), tf.cast(self.optimizer.iterations, tf.int64) + 1])

    def _report(self, loss: tf.Tensor, logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        hits = tf.argmax(logits, axis=1, output_type=tf.int32) == labels
        self._loss_mean.update_state(loss, sample_weight=tf.shape(logits)[0])
        self._hits.update_state(tf.cast(hits, tf.float32))
        return self.get_metrics_result()


class Replayed(TrainedOnPerturbed):
    """Every batch several times in a row, the attack moving by the gradients that move the weights; it outlives the batch."""

    def __init__(self, network: keras.Model, method: TrainingMethod, *, ramp: int, recipe: Recipe):
        super().__init__(network, method, ramp=ramp, recipe=recipe)
        self._change = tf.Variable(tf.zeros((recipe.batch_size, *network.input_shape[1:])), trainable=False, name="change")

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """A batch, replayed; the loss and accuracy reported are means over the replays."""
        x, labels = data
        labels = tf.cast(labels, tf.int32)
        for _ in range(self._method.replays):
            report = self._replay(x, labels)
        return report

    def _replay(self, x: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        count, epsilon = tf.shape(x)[0], self._strength()
        changed = tf.clip_by_value(x + tf.clip_by_value(self._change[:count], -epsilon, epsilon), 0.0, 1.0)
        with tf.GradientTape() as tape:
            tape.watch(changed)
            loss, logits = self._method.objective(self._network, x, changed, labels)
            total = loss + regularization(self._network)
        weights = self._network.trainable_variables
        uphill, *gradients = tape.gradient(total, [changed, *weights])
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        moved = tf.clip_by_value(self._change[:count] + epsilon * tf.sign(uphill), -epsilon, epsilon)
        self._change[:count].assign(moved)
        return self._report(loss, logits, labels)


def pgd_on_cross_entropy(
    network: keras.Model, x: tf.Tensor, labels: tf.Tensor, epsilon: tf.Tensor, seed: tf.Tensor, *, steps: int, stride: float
) -> tf.Tensor:
    """PGD on the cross-entropy from a random point of the ball, in steps of `stride`·ε."""
    start = x + epsilon * tf.random.stateless_uniform(tf.shape(x), seed, -1.0, 1.0)
    return _ascended(lambda changed: cross_entropy(labels, answers(network, changed)), x, start, epsilon, steps, stride)


def pgd_on_divergence(
    network: keras.Model, x: tf.Tensor, labels: tf.Tensor, epsilon: tf.Tensor, seed: tf.Tensor, *, steps: int, stride: float
) -> tf.Tensor:
    """PGD on the divergence from the clean image's probabilities. It has no slope at x: the start is a little off."""
    clean = answers(network, x)
    start = x + 0.001 * tf.random.stateless_normal(tf.shape(x), seed)
    return _ascended(lambda changed: divergence(clean, answers(network, changed)), x, start, epsilon, steps, stride)


def with_noise(network: keras.Model, x: tf.Tensor, labels: tf.Tensor, sigma: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """x + N(0, σ²), outside [0, 1] too."""
    return x + sigma * tf.random.stateless_normal(tf.shape(x), seed)


def attacked_alone(network: keras.Model, x: tf.Tensor, changed: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy of the changed images."""
    logits = answers(network, changed, training=True)
    return cross_entropy(labels, logits), logits


def clean_and_smooth(
    network: keras.Model, x: tf.Tensor, changed: tf.Tensor, labels: tf.Tensor, *, beta: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cross-entropy of the clean images, and β times how far the changed ones' probabilities are from theirs."""
    clean, logits = answers(network, x, training=True), answers(network, changed, training=True)
    return cross_entropy(labels, clean) + beta * divergence(clean, logits), logits


def answers(network: keras.Model, x: tf.Tensor, *, training: bool = False) -> tf.Tensor:
    """Logits (n, classes) in float32, whatever the network computes in."""
    return tf.cast(network(x, training=training), tf.float32)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The mean over the batch."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def divergence(logits: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """KL(softmax(logits) ‖ softmax(others)), the mean over the batch."""
    left, right = tf.nn.log_softmax(logits), tf.nn.log_softmax(others)
    return tf.reduce_mean(tf.reduce_sum(tf.exp(left) * (left - right), axis=1))


def regularization(network: keras.Model) -> tf.Tensor:
    """The sum of the losses that layers add by themselves."""
    return tf.add_n([tf.zeros([]), *(tf.cast(loss, tf.float32) for loss in network.losses)])


def _ascended(
    value: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor, start: tf.Tensor, epsilon: tf.Tensor, steps: int, stride: float
) -> tf.Tensor:
    """`steps` steps of sign ascent on value(changed), each followed by the projection into the ball and into [0, 1]."""

    def project(changed: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(tf.clip_by_value(changed, x - epsilon, x + epsilon), 0.0, 1.0)

    def step(changed: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(changed)
            height = value(changed)
        return (project(changed + stride * epsilon * tf.sign(tape.gradient(height, changed))),)

    # A loop of the graph, so that twenty steps are not traced twenty times.
    return tf.while_loop(lambda _: True, step, (project(start),), maximum_iterations=steps, parallel_iterations=1)[0]


def _refuse(dataset: Dataset, recipe: Recipe, warm_up: int) -> None:
    if recipe.label_smoothing:
        raise RobustnessError(
            f"Received a recipe with label smoothing {recipe.label_smoothing}; expected 0: flattened logits hide the way "
            "from weak attacks and make nothing robust. Set it to 0."
        )
    if warm_up not in range(recipe.epochs + 1):
        raise RobustnessError(
            f"Received a warm-up of {warm_up} epochs; expected a whole number from 0 to the recipe's {recipe.epochs}. Give fewer."
        )
    y, classes = dataset.train.y, len(dataset.classes)
    if len(y) and not 0 <= np.min(y) <= np.max(y) < classes:
        raise RobustnessError(
            f"Received labels from {np.min(y)} to {np.max(y)}; expected 0 to {classes - 1}. Number the classes from 0."
        )
