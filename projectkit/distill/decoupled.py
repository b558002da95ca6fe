"""Decoupled distillation: how sure the teacher is of the class, and what it thinks of all the others, weighed apart."""

import tensorflow as tf

from projectkit.distill.checks import as_floats, logits_and_labels, refuse_temperature, refuse_weight
from projectkit.distill.hinton import cross_entropy

EXCLUDED = -1e9  # a logit whose probability is 0 in float32, and finite, so that 0 times it is 0


def decoupled(
    student_logits: tf.Tensor,
    teacher_logits: tf.Tensor,
    labels: tf.Tensor,
    *,
    temperature: float = 4.0,
    alpha: float = 1.0,
    beta: float = 8.0,
    label_weight: float = 1.0,
) -> tf.Tensor:
    """label_weight · cross-entropy(labels) + T² · (α · target part + β · part of the others), means over the n images.

    student_logits, teacher_logits: (n, classes); labels: (n,), −1 where there is none: the class that the teacher finds most
    probable is the target there. KL = target part + (1 − p) · part of the others, p being the teacher's softened probability of
    the target: plain distillation hushes what the teacher knows of the others just where it is sure (Zhao et al., "Decoupled
    knowledge distillation", 2022, equation 6; they let α and β grow over the first epochs: `distill(…, warm_up=…)`). Raises
    ModelError for T ≤ 0, negative weights and shapes that do not fit.
    """
    refuse_temperature(temperature)
    for name, weight in (("alpha", alpha), ("beta", beta), ("label_weight", label_weight)):
        refuse_weight(name, weight)
    student, teacher, labels = logits_and_labels(student_logits, teacher_logits, labels)
    targets = tf.where(labels >= 0, labels, tf.argmax(teacher, axis=1, output_type=tf.int32))
    of_target = tf.reduce_mean(target_divergence(student, teacher, targets, temperature))
    of_others = tf.reduce_mean(other_divergence(student, teacher, targets, temperature))
    return label_weight * cross_entropy(student, labels) + temperature**2 * (alpha * of_target + beta * of_others)


def target_divergence(student: tf.Tensor, teacher: tf.Tensor, targets: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
    """TCKD: KL between the two softened answers to "the target or another class?", in nats: (n,)."""
    targets = tf.cast(targets, tf.int32)
    ours, theirs = (_target_or_not(as_floats(logits) / temperature, targets) for logits in (student, teacher))
    return tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=1)


def other_divergence(student: tf.Tensor, teacher: tf.Tensor, targets: tf.Tensor, temperature: float = 1.0) -> tf.Tensor:
    """NCKD: KL between the two softened distributions over the classes that are not the target, in nats: (n,)."""
    targets = tf.cast(targets, tf.int32)
    ours, theirs = (tf.nn.log_softmax(_without(as_floats(logits) / temperature, targets)) for logits in (student, teacher))
    return tf.reduce_sum(tf.exp(theirs) * tf.where(_is_target(student, targets), 0.0, theirs - ours), axis=1)


def _target_or_not(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Log-probabilities of the target and of all others together: (n, 2). 1 − p would round to 0 for a sure network."""
    of_target = tf.gather(logits, targets, batch_dims=1)
    of_others = tf.reduce_logsumexp(_without(logits, targets), axis=1)
    return tf.nn.log_softmax(tf.stack([of_target, of_others], axis=1))


def _without(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    return tf.where(_is_target(logits, targets), EXCLUDED, logits)


def _is_target(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    return tf.range(tf.shape(logits)[1])[None] == targets[:, None]
