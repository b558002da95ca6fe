"""A solution of l04: gradient ascent over masks, round after round; the best round, and the best with a tenth of the weights."""

from pathlib import Path

from grading.reference.build import main

LAB = "l04_supermasks"


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from projectkit import data
    from projectkit.prune.supermasks import SCORES, Effort, best, iterative, prepare
    from projectkit.runtimes.supermask import write_supermask

    dataset = data.load({"quick": "digits", "full": "mnist"}[scale])
    first, later = {
        "quick": (Effort(steps=1500), Effort(steps=200)),
        "full": (Effort(steps=3000, groups=512), Effort(steps=300, groups=512)),
    }[scale]
    scene = prepare(dataset, (300, 100), seed=1)
    rounds = iterative(scene, SCORES["pgbp_loss"], first=first, effort=later)
    found = {"accurate": best(rounds, removed=0.5), "tiny": best(rounds, removed=0.9)}
    return {slot: Path(write_supermask(one.supermask(scene), folder / f"{slot}.supermask").path) for slot, one in found.items()}


if __name__ == "__main__":
    main(LAB, make_models)
