"""What models are probed with beside the hidden images, drawn by the salt: corrupted images, other images, an attack."""

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grading.errors import GradingError
from grading.hidden.data import ORIGINS, Hidden, salted
from grading.measuring.likeness import neighbours
from grading.types import Attack, Corruption, Ood, Rubric
from projectkit import runtimes
from projectkit.data import load
from projectkit.types import Artifact, Split


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """`corrupted`: hidden images with corruptions, and their labels; `out_of_distribution`: images of another dataset, of one
    shape; both empty where no check asks. `attack`: what robust_accuracy is measured by; `seed`: of its random numbers. `start`:
    the logits of the rubric's baseline for the hidden images, where a check asks for fidelity; `neighbours`: the answers of a
    table of public images to some of them (grading.measuring.likeness)."""

    corrupted: Split
    out_of_distribution: np.ndarray
    attack: Attack | None = None
    seed: int = 0
    start: np.ndarray | None = None
    neighbours: np.ndarray | None = None

    @property
    def black_box(self) -> Attack:
        """The attack. Raises GradingError where there is none."""
        if self.attack is None:
            raise GradingError(
                "robust_accuracy is asked for, but no attack says how to measure it. Give the rubric a table of it."
            )
        return self.attack


def no_probes(hidden: Hidden) -> Probes:
    """The probes of a rubric that asks for none."""
    return Probes(hidden.split.take(0), hidden.split.x[:0])


def order_of(hidden: Hidden, probes: Probes) -> np.ndarray:
    """(n,) the order in which all images are handed to workers, drawn by the salt: place → the image's number among the hidden,
    public test and validation, corrupted and out-of-distribution images, one after the other. Mixed, because a place that says
    where an image comes from would be worth points."""
    count = sum(map(len, (hidden.split, hidden.plain, hidden.val, probes.corrupted))) + len(probes.out_of_distribution)
    seed = hashlib.sha256(f"{probes.seed}\0{hidden.digest}\0order".encode()).digest()
    return np.random.default_rng(int.from_bytes(seed, "big")).permutation(count)


def probes_for(rubric: Rubric, hidden: Hidden, salt: str) -> Probes:
    """What the rubric's tables ask for. Raises DataError when the other dataset cannot be loaded."""
    none = no_probes(hidden)
    corrupted, others = none.corrupted, none.out_of_distribution
    if rubric.corruption:
        rng = np.random.default_rng(_number(salt, hidden, "corruption"))
        corrupted = _corrupted(hidden.split, rubric.corruption, rng)
    if rubric.ood:
        others = _out_of_distribution(rubric.ood, hidden.split.x.shape[1:], salt)
    start = _answers(rubric.baseline_file, hidden.split.x) if "fidelity" in {check.metric for check in rubric.checks} else None
    table = neighbours(load(rubric.dataset), hidden.split.x)
    return Probes(corrupted, others, rubric.attack, _number(salt, hidden, "attack"), start, table)


def conditions(rubric: Rubric, hidden: Hidden, probes: Probes) -> dict[str, str]:
    """On what the models were measured and how they were probed, for people: a sentence for each."""
    told = {"Hidden images": f"{len(hidden.split)}: {ORIGINS[hidden.origin]}"}
    if attack := rubric.attack:
        count = min(attack.images, len(hidden.split))
        told["Attack"] = (
            f"{count} hidden images, each pixel changed by up to {attack.epsilon:g} of its range; "
            f"at most {attack.queries} queries an image by Square, then as many by RayS"
        )
    if rubric.corruption:
        kinds = ", ".join(kind.replace("_", " ") for kind in rubric.corruption.kinds)
        severities = ", ".join(map(str, rubric.corruption.severities))
        told["Corruptions"] = f"{len(probes.corrupted)} hidden images, each under one of: {kinds}; severity {severities}"
    if rubric.ood:
        told["Out of distribution"] = f"{len(probes.out_of_distribution)} test images of {rubric.ood.dataset}, made to fit"
    return told


def _corrupted(split: Split, wanted: Corruption, rng: np.random.Generator) -> Split:
    """Images chosen by `rng`, each with a kind and a severity; every pair of them as often as any other, or once more."""
    from projectkit.robustness.corruptions import CORRUPTIONS

    chosen = rng.permutation(len(split))[: wanted.images]
    pairs = [(kind, severity) for kind in wanted.kinds for severity in wanted.severities]
    turns = -(-len(chosen) // len(pairs))
    pair_of = np.concatenate([rng.permutation(len(pairs)) for _ in range(turns)])[: len(chosen)]
    images = np.empty_like(split.x[chosen])
    for index, (kind, severity) in enumerate(pairs):
        here = pair_of == index
        images[here] = CORRUPTIONS[kind](split.x[chosen[here]], severity, rng)
    return Split(images, split.y[chosen])


def _out_of_distribution(wanted: Ood, shape: tuple[int, int, int], salt: str) -> np.ndarray:
    """Test images of another dataset, altered as hidden images are, with this height, width and number of channels."""
    other = load(wanted.dataset)
    images = salted(other.test, f"{salt}\0{other.digest}").x[: wanted.images]
    if shape[2] != images.shape[3]:
        images = images.mean(axis=3, keepdims=True).repeat(shape[2], axis=3)
    down, across = (_resizing(images.shape[1 + axis], shape[axis]) for axis in (0, 1))
    return np.einsum("ih,nhwc,jw->nijc", down, images, across, optimize=True).astype(np.float32).clip(0.0, 1.0)


def _answers(baseline: Path, images: np.ndarray) -> np.ndarray:
    """The logits of the course's own file, which needs no sandbox."""
    with closing(runtimes.open(Artifact.of(baseline))) as session:
        return session.run(images)


def _resizing(source: int, target: int) -> np.ndarray:
    """(target, source): the mean over what each new pixel covers of the old ones."""
    edges, pixels = np.arange(target + 1) * source / target, np.arange(source)
    covered = np.clip(np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels), 0.0, None)
    return covered / covered.sum(axis=1, keepdims=True)


def _number(salt: str, hidden: Hidden, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{salt}\0{hidden.digest}\0{purpose}".encode()).digest(), "big")
