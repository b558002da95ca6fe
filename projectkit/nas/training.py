"""The evaluation that a real search uses: train, and look at the validation images."""

from contextlib import suppress
from typing import TYPE_CHECKING

import optuna
from optuna.trial import Trial

from projectkit.nas.network import build
from projectkit.nas.types import Architecture
from projectkit.types import Dataset, Recipe

if TYPE_CHECKING:
    import tf_keras as keras


def train_and_validate(
    architecture: Architecture, trial: Trial, dataset: Dataset, recipe: Recipe, *, patience: int | None = None
) -> float:
    """The share of `dataset.val` that the network classifies right after training by `recipe`, in [0, 1]; the study's direction
    is "maximize". The test images are not touched. Same architecture, dataset and recipe: same result on one machine.

    patience: the training ends when so many epochs in a row were not better than the best before; the trial is complete then.
    In a study of one objective the validation accuracy is reported after each epoch (steps 1, 2, …), and the study's pruner
    may stop the trial, with the `reason`. Attribute of the trial: epochs, as many as were trained.
    """
    from projectkit import train

    # isort: split
    import tf_keras as keras

    keras.backend.clear_session()  # what Keras keeps of the networks before would grow with every trial
    keras.utils.set_random_seed(recipe.seed)
    model = build(architecture, dataset.shape, len(dataset.classes))
    one = len(trial.study.directions) == 1  # Optuna reports and prunes in no other studies
    accuracies: list[float] = []

    def after_epoch(model: "keras.Model") -> None:
        accuracies.append(float(model.get_metrics_result()["accuracy"]))  # the last they have seen are the validation images
        epoch, accuracy = len(accuracies), accuracies[-1]
        if one:
            trial.report(accuracy, epoch)
        if epoch == recipe.epochs:
            return
        if one and trial.should_prune():
            reason = f"stopped after {epoch} of {recipe.epochs} epochs at {accuracy:.1%} of the validation images"
            trial.set_user_attr("epochs", epoch)
            trial.set_user_attr("reason", reason)
            raise optuna.TrialPruned(reason)
        if patience is not None and epoch - 1 - accuracies.index(max(accuracies)) >= patience:
            raise _Enough

    with suppress(_Enough):
        train.fit(model, dataset, recipe, progress=False, after_epoch=after_epoch)
    trial.set_user_attr("epochs", len(accuracies))
    return accuracies[-1]


class _Enough(Exception):
    """More epochs would not help."""
