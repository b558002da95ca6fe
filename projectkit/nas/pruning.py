"""When to stop a training that does not look good: Optuna's pruners, set for trials that report once an epoch."""

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner


def none(*, epochs: int) -> BasePruner:
    """Every training runs to its end."""
    return NopPruner()


def median(*, epochs: int) -> BasePruner:
    """Stops a trial whose best value so far is worse than the median of the others after as many epochs (Golovin et al.,
    "Google Vizier", 2017, section 3.2). Not in the first quarter of the epochs, nor before five trials have been completed."""
    return MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, epochs // 4))


def hyperband(*, epochs: int) -> BasePruner:
    """Of the trials of a bracket a third goes on at each rung, to three times as many epochs; brackets differ in where the first
    rung lies, and the last stops nobody (Li et al., "Hyperband", 2018; asynchronous: a trial is judged by those that have
    come as far before it)."""
    return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)
