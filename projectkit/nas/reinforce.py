"""A controller that learns from reward which choice to make."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from projectkit.nas.genes import Genes, levels, position_of, value_at
from projectkit.nas.history import History, Seen
from projectkit.nas.sampler import Proposal, StrategySampler

BINS = 8  # of a continuous gene, or one with more levels


def reinforce(
    space: Genes | None = None, *, seed: int, rate: float = 0.3, entropy: float = 0.01, memory: float = 0.9
) -> BaseSampler:
    """REINFORCE (Williams, 1992) with a softmax table as the controller, a row of logits a gene.

    Zoph and Le, "Neural architecture search with reinforcement learning", 2017, let a recurrent network of two layers of 35 write
    the choices one after the other, so that a choice can depend on those before it, and train it by Adam at 0.0006 on 12,800
    networks. A study here has tens or hundreds of trials, too few to train one; the table's genes are independent of each other.
    So `rate` is that of a bandit (Sutton and Barto, "Reinforcement learning", 2018, section 2.8, use 0.1 to 0.4). The moving
    average as the baseline is theirs; `entropy` keeps choices open, as Williams and Peng, 1991, do.

    After each trial: logits += rate · (advantage · ∇ log p(choice) + entropy · ∇ H(p)) for the genes that were asked for. The
    advantage is the reward minus its moving average (`memory`), in units of the usual distance from it, so that rewards need no
    scale; theirs is the cube of the accuracy.
    """
    return StrategySampler(functools.partial(_propose, rate=rate, entropy=entropy, memory=memory), space, seed=seed)


def probabilities(
    genes: Genes, seen: tuple[Seen, ...], *, rate: float = 0.3, entropy: float = 0.01, memory: float = 0.9
) -> dict[str, np.ndarray]:
    """The controller after these trials: for each gene the probability of each choice, (choices,)."""
    logits = {name: np.zeros(bins(gene)) for name, gene in genes.items()}
    reward = _Average(memory)
    for trial in seen:
        advantage = reward.advantage(-trial.score)
        for name in trial.active:
            p = softmax(logits[name])
            chosen = np.eye(len(p))[bin_of(genes[name], trial.values[name])]
            log_p = np.log(np.maximum(p, 1e-12))
            of_entropy = -p * (log_p - (p * log_p).sum())
            logits[name] = logits[name] + rate * (advantage * (chosen - p) + entropy * of_entropy)
    return {name: softmax(row) for name, row in logits.items()}


def _propose(genes: Genes, known: History, rng: np.random.Generator, **options: Any) -> Proposal:
    tables = probabilities(genes, known.seen, **options)
    return Proposal({name: in_bin(gene, rng.choice(len(tables[name]), p=tables[name]), rng) for name, gene in genes.items()})


@dataclass(slots=True)
class _Average:
    """The moving average of the reward and of the distance from it."""

    memory: float
    mean: float | None = None
    distance: float = 0.0

    def advantage(self, reward: float) -> float:
        if self.mean is None:
            self.mean = reward
            return 0.0
        off = reward - self.mean
        self.distance = self.memory * self.distance + (1 - self.memory) * abs(off) if self.distance else abs(off)
        self.mean += (1 - self.memory) * off
        return float(np.clip(off / self.distance, -3, 3)) if self.distance else 0.0


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(logits) / Σ exp(logits)."""
    grown = np.exp(logits - logits.max())
    return grown / grown.sum()


def bins(gene: BaseDistribution) -> int:
    """Into how many choices a gene is divided: its levels, or BINS."""
    count = levels(gene)
    if count is None:
        return BINS
    return min(count, BINS) if ordered_range(gene) else count


def ordered_range(gene: BaseDistribution) -> bool:
    """Whether the gene's values are a range, which can be divided; a list of choices cannot."""
    return not hasattr(gene, "choices")


def bin_of(gene: BaseDistribution, value: Any) -> int:
    """The choice that a value belongs to."""
    return min(int(position_of(gene, value) * bins(gene)), bins(gene) - 1)


def in_bin(gene: BaseDistribution, index: int, rng: np.random.Generator) -> Any:
    """A uniform value of a choice."""
    return value_at(gene, (index + rng.random()) / bins(gene))
