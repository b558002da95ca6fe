"""Lottery tickets: does a sparse network owe its accuracy to its connections, or to the weights that they began with?

tickets = find_tickets(lenet300, dataset, Recipe(epochs=10), rounds=10, seed=0)
again = train_reinitialized(lenet300, tickets[-1], dataset, Recipe(epochs=10), seed=1)

Frankle and Carbin, "The lottery ticket hypothesis", 2019; rewinding: Frankle et al., "Stabilizing the lottery ticket
hypothesis", 2019.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import tf_keras as keras

from projectkit.errors import ModelError
from projectkit.prune.weight_masks import Masks, kernels_of, largest, masked
from projectkit.train import accuracy, fit
from projectkit.types import Dataset, Recipe

Builder = Callable[[tuple[int, ...], int], keras.Model]


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A sub-network: which weights it has, and what it began and ended with.

    masks: {layer: bool, shape of its kernel}. start, end: the model's weights (as of `get_weights`) before and after training,
    pruned ones 0 in both. density: the share of kernel weights that are left. accuracy: in [0, 1] on `dataset.val`.
    """

    masks: Masks
    start: tuple[np.ndarray, ...]
    end: tuple[np.ndarray, ...]
    density: float
    accuracy: float


def find_tickets(
    builder: Builder,
    dataset: Dataset,
    recipe: Recipe,
    *,
    rounds: int,
    rate: float = 0.2,
    rewind: int = 0,
    seed: int = 0,
) -> tuple[Ticket, ...]:
    """Iterative magnitude pruning: train, drop the smallest `rate` of every layer's weights, set the others back, and again.

    The first ticket is the dense network, each further one a round of pruning older: rounds + 1 in all, each trained by the
    whole of `recipe`. The output layer loses half the rate. rewind: weights go back to what they were after so many epochs
    at the recipe's constant rate, 0 being the initialization, which depends on `seed` only; deep networks need a few.
    Raises ModelError for a rate outside (0, 1), a negative number of rounds or epochs, and a layer with nothing left to drop.
    """
    if not 0 < rate < 1 or rounds < 0 or rewind < 0:
        raise ModelError(
            f"Got a rate of {rate}, {rounds} rounds and a rewind to epoch {rewind}; expected 0 < rate < 1 and no negative "
            "number. The paper drops 0.2 a round."
        )
    model = _built(builder, dataset, seed)
    masks = {name: np.ones(kernel.shape, bool) for name, kernel in kernels_of(model).items()}
    output = list(masks)[-1]
    if rewind:
        fit(model, dataset, replace(recipe, epochs=rewind, schedule="constant"), progress=False)
    tickets = [_trained(model, masks, dataset, recipe)]
    for _ in range(rounds):
        model.set_weights(tickets[-1].end)
        kernels = kernels_of(model)
        masks = {
            name: _fewer(kernels[name].numpy(), mask, rate / 2 if name == output else rate, name) for name, mask in masks.items()
        }
        model.set_weights(tickets[0].start)
        tickets.append(_trained(model, masks, dataset, recipe))
    return tuple(tickets)


def train_reinitialized(builder: Builder, ticket: Ticket, dataset: Dataset, recipe: Recipe, *, seed: int) -> Ticket:
    """The ticket's connections with new random weights drawn from `seed`, trained by the same recipe: what a ticket must beat.

    Raises ModelError when the builder gives another architecture than the ticket's.
    """
    return _trained(_built(builder, dataset, seed), ticket.masks, dataset, recipe)


def _built(builder: Builder, dataset: Dataset, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    keras.backend.reset_uids()  # layers are named alike in every build, and masks go by the name
    return builder(dataset.shape, len(dataset.classes))


def _trained(model: keras.Model, masks: Masks, dataset: Dataset, recipe: Recipe) -> Ticket:
    sparse = masked(model, masks)
    start = tuple(sparse.get_weights())
    fit(sparse, dataset, recipe, progress=False)
    left = sum(int(mask.sum()) for mask in masks.values()) / sum(mask.size for mask in masks.values())
    return Ticket(masks, start, tuple(sparse.get_weights()), left, accuracy(sparse, dataset.val))


def _fewer(kernel: np.ndarray, mask: np.ndarray, rate: float, name: str) -> np.ndarray:
    """`mask` without the `rate` smallest of the weights that it still has."""
    fewer = np.zeros_like(mask)
    kept = largest(np.abs(kernel[mask]), rate, name)
    if kept.all():
        raise ModelError(
            f"{name}: of its {len(kept)} weights left, a rate of {rate} drops none. Take fewer rounds, or a higher rate."
        )
    fewer[mask] = kept
    return fewer
