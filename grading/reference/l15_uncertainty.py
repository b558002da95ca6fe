"""A solution of l15: the overconfident network with a temperature in its last layer, and five such networks in one file."""

from pathlib import Path

from grading.reference.build import main

LAB = "l15_uncertainty"
MEMBERS, CALIBRATION = 5, 1000


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import overconfident, overconfident_starting_point
    from projectkit import export, train, uncertainty

    dataset, model = overconfident_starting_point(scale)
    val = dataset.val.take(CALIBRATION)
    calibrated = uncertainty.fold(model, uncertainty.temperature(train.logits(model, val.x), val.y))
    members = (model, *(overconfident(dataset, scale, seed) for seed in range(1, MEMBERS)))
    together = train.logits(uncertainty.joined(members), val.x)
    ensemble = uncertainty.joined(members, uncertainty.temperature(together, val.y))
    files = {"calibrated": calibrated, "ensemble": ensemble}
    return {
        slot: Path(export.write(one, folder / f"{slot}.tflite", compare=val.x[:200]).artifact.path) for slot, one in files.items()
    }


if __name__ == "__main__":
    main(LAB, make_models)
