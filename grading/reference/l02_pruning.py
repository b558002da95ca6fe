"""A solution of l02: pruned by one threshold for all layers, written as it is and in the sparse format; 2:4; clustered with its
zeros kept; and that, quantized with zeros and clusters kept."""

from dataclasses import replace
from pathlib import Path

from grading.reference.build import main

LAB = "l02_pruning"
SPARSITY, CLUSTERS = 0.9, 16
EPOCHS = {"quick": (4, 2), "full": (1, 1)}  # of pruning, of every step after it
BATCH = {"quick": 64, "full": 256}


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import starting_point
    from projectkit import export, train
    from projectkit.prune import clustering, collaborative, sparsity, weight_masks
    from projectkit.quantize import qat

    dataset, model, recipe = starting_point(scale)
    long, short = (replace(recipe, epochs=epochs, batch_size=BATCH[scale]) for epochs in EPOCHS[scale])
    gentle = replace(short, learning_rate=3e-4)

    held = weight_masks.masked(model, weight_masks.global_masks(model, SPARSITY))
    train.fit(held, dataset, long)
    pruned = weight_masks.unmasked(held)

    paired = sparsity.prepare_two_of_four(model)
    train.fit(paired, dataset, replace(short, learning_rate=1e-3))

    shared = clustering.prepare(pruned, clusters=CLUSTERS, keep_zeros=True)
    train.fit(shared, dataset, gentle)
    clustered = clustering.strip(shared)

    aware = qat.prepare(clustered, calibrate=dataset.train.x[:200])
    kept = collaborative.preserve(clustered, aware, keep="both")
    train.fit(kept, dataset, gentle)

    made = {
        "pruned": (pruned, "float32"),
        "sparse": (pruned, "sparse"),
        "two_of_four": (sparsity.strip(paired), "float32"),
        "clustered": (clustered, "float32"),
        "int8": (collaborative.strip(kept), "int8"),
    }
    compare = dataset.val.x[:200]
    files = {
        slot: export.write(one, folder / f"{slot}.tflite", precision=precision, compare=compare)
        for slot, (one, precision) in made.items()
    }
    return {slot: Path(file.artifact.path) for slot, file in files.items()}


if __name__ == "__main__":
    main(LAB, make_models)
