"""A solution of l03: channels that matter least to the loss are removed in two rounds, each followed by fine-tuning."""

from dataclasses import replace
from pathlib import Path

from grading.reference.build import main

LAB = "l03_structured_pruning"
CUTS = {"pruned": 0.5, "tiny": 0.85}  # of the multiply-accumulates
EPOCHS = {"quick": 10, "full": 1}  # after each round


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import starting_point
    from projectkit import export
    from projectkit.prune import SCORES, schedules

    dataset, model, recipe = starting_point(scale)
    mend = replace(recipe, epochs=EPOCHS[scale])
    paths = {}
    for slot, cut in CUTS.items():
        ratio = schedules.ratio_for_macs(model, cut)
        smaller = schedules.iterative(model, SCORES["taylor"], ratio, dataset, mend, rounds=2).model
        paths[slot] = Path(export.write(smaller, folder / f"{slot}.tflite", compare=dataset.val.x[:200]).artifact.path)
    return paths


if __name__ == "__main__":
    main(LAB, make_models)
