"""A student with its teacher, as a Keras model that can be fitted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf
import tf_keras as keras

from projectkit.distill.checks import FeatureLoss, Loss, name_of, refuse_weight, scalar
from projectkit.distill.hinton import cross_entropy
from projectkit.errors import ModelError

Share = Callable[[tf.Tensor], tf.Tensor]  # step of the optimizer → the weight of the teacher's part in the training, in [0, 1]


@dataclass(frozen=True, slots=True)
class Match:
    """A layer of the student that learns from a layer of the teacher by `loss`, a member of FEATURE_LOSSES or one's own.

    regressor: the student's features pass a learned 1×1 convolution to the teacher's width first; it is thrown away afterwards.
    """

    student: str
    teacher: str
    loss: FeatureLoss
    weight: float = 1.0
    regressor: bool = False


class Taught(keras.Model):
    """Trains `student` by `loss` on the logits, plus the weighted losses of the matches. Its variables: student's, regressors'.

    Targets are the labels, or (labels, teacher's logits) when these are known; else `teacher` answers each batch. share: the
    part that these losses have; the rest is cross-entropy with the labels.
    """

    def __init__(
        self,
        student: keras.Model,
        teacher: keras.Model | None,
        loss: Loss,
        matches: Sequence[Match],
        *,
        seed: int,
        share: Share,
    ):
        super().__init__(name=student.name)
        for match in matches:
            refuse_weight(f"for the match of {match.student} the weight", match.weight)
        self._parts = with_features(student, [match.student for match in matches])
        self._regressors = [_regressor(student, teacher, match, seed + index) for index, match in enumerate(matches)]
        self._ask = _silent(teacher, [match.teacher for match in matches])
        self._objective, self._matches, self._share = loss, tuple(matches), share
        self._loss_mean = keras.metrics.Mean(name="loss")
        self._hits, self._labelled = keras.metrics.Sum(name="hits"), keras.metrics.Sum(name="labelled")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Set back to 0 before every epoch."""
        return [self._loss_mean, self._hits, self._labelled]

    def get_metrics_result(self) -> dict[str, tf.Tensor]:
        """Loss and accuracy since the metrics were set back. Without any label, the accuracy is not a number, and not 0."""
        return {"loss": self._loss_mean.result(), "accuracy": self._hits.result() / self._labelled.result()}

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor | tuple[tf.Tensor, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """One step of the optimizer. The teacher answers outside the tape."""
        x, targets = data
        labels, known = targets if isinstance(targets, tuple) else (targets, None)
        theirs = self._ask(x, known)
        with tf.GradientTape() as tape:
            logits, *features = _listed(self._parts(x, training=True))
            loss = self.objective(logits, features, theirs, labels, self._share(self.optimizer.iterations))
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return self._report(loss, logits, labels)

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Cross-entropy and accuracy: an examination without the teacher."""
        x, labels = data
        logits = _listed(self._parts(x, training=False))[0]
        return self._report(cross_entropy(tf.cast(logits, tf.float32), tf.cast(labels, tf.int32)), logits, labels)

    def objective(
        self,
        logits: tf.Tensor,
        features: list[tf.Tensor],
        theirs: list[tf.Tensor],
        labels: tf.Tensor,
        share: float | tf.Tensor = 1.0,
    ) -> tf.Tensor:
        """What the student shall make small: the loss of the logits, of the matches, and its own regularization.

        share: of the first two; the rest of them is cross-entropy with the labels.
        """
        total = scalar(self._objective(logits, theirs[0], labels), self._objective)
        for match, regressor, ours, hint in zip(self._matches, self._regressors, features, theirs[1:], strict=True):
            try:
                total += match.weight * scalar(match.loss(regressor(ours), hint), match.loss)
            except ModelError as error:
                raise ModelError(f"{match.student} from {match.teacher} by {name_of(match.loss)}: {error}") from error
        alone = cross_entropy(tf.cast(logits, tf.float32), tf.cast(labels, tf.int32))
        total = share * total + (1 - share) * alone
        return total + tf.add_n([tf.zeros([]), *(tf.cast(loss, tf.float32) for loss in self._parts.losses)])

    def try_one_step(self, x: tf.Tensor, labels: tf.Tensor, known: tf.Tensor | None = None) -> None:
        """Computes the objective without learning: raises ModelError now for what would fail in the first step of training."""
        logits, *features = _listed(self._parts(x, training=False))
        self.objective(logits, features, self._ask(x, known), labels)

    def _report(self, loss: tf.Tensor, logits: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        labels = tf.cast(labels, tf.int64)
        self._loss_mean.update_state(loss, sample_weight=tf.shape(logits)[0])
        self._hits.update_state(tf.cast(tf.argmax(logits, axis=1) == labels, tf.float32))
        self._labelled.update_state(tf.cast(labels >= 0, tf.float32))
        return self.get_metrics_result()


def with_features(model: keras.Model, layers: Sequence[str]) -> keras.Model:
    """`model` with the answers of these layers as further outputs; same variables. Raises ModelError for an unknown layer."""
    known = {layer.name: layer for layer in model.layers}
    for name in layers:
        if name not in known:
            raise ModelError(f"{model.name}: received the layer {name!r}; expected one of {', '.join(known)}. Correct the Match.")
    return keras.Model(model.inputs, [model.output, *(known[name].output for name in layers)])


def _silent(teacher: keras.Model | None, layers: Sequence[str]) -> Callable[[tf.Tensor, tf.Tensor | None], list[tf.Tensor]]:
    """(images, known logits or None) → [logits, features…]: a closure, so that Keras takes the teacher for no part of us."""
    if teacher is None:
        return lambda x, known: [known]
    parts = with_features(teacher, layers)

    def ask(x: tf.Tensor, known: tf.Tensor | None) -> list[tf.Tensor]:
        return _listed(parts(x, training=False)) if known is None else [known]

    return ask


def _regressor(student: keras.Model, teacher: keras.Model, match: Match, seed: int) -> keras.layers.Layer:
    """A built layer from the width of the student's features to that of the teacher's, or one that does nothing."""
    if not match.regressor:
        return keras.layers.Activation("linear")
    ours = with_features(student, [match.student]).outputs[1].shape
    theirs = with_features(teacher, [match.teacher]).outputs[1].shape
    initializer = keras.initializers.GlorotUniform(seed)
    layer = keras.layers.Dense(theirs[-1], kernel_initializer=initializer, name=f"regressor_{match.student}")
    layer.build(ours)
    return layer


def _listed(outputs: tf.Tensor | Sequence[tf.Tensor]) -> list[tf.Tensor]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
