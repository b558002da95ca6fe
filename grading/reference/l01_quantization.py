"""A solution of l01: post-training int8 for both runtimes, quantization-aware training of the unbalanced network, 4-bit
weights."""

from pathlib import Path

from grading.reference.build import main

LAB = "l01_quantization"


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of every slot, by slot."""
    from grading.baselines.build import starting_point
    from projectkit import export, train
    from projectkit.quantize.qat import prepare
    from projectkit.quantize.unbalance import unbalance

    dataset, model, recipe = starting_point(scale)
    calibrate, compare = dataset.train.x[:200], dataset.val.x[:200]
    aware = prepare(unbalance(model), calibrate=calibrate)
    train.fit(aware, dataset, recipe)

    # Small layers are the sensitive ones, and 8 bits for them cost next to nothing.
    bits = {"*": 4} | {layer.name: 8 for layer in model.layers if "kernel" in vars(layer) and layer.count_params() < 5000}
    files = {
        "int8": export.write(model, folder / "int8.tflite", precision="int8", calibrate=calibrate, compare=compare),
        "onnx_int8": export.write(model, folder / "onnx.onnx", precision="int8", calibrate=calibrate, compare=compare),
        "qat": export.write(aware, folder / "qat.tflite", precision="int8", compare=compare),
        "few_bits": export.write(model, folder / "few_bits.tflite", precision=bits, compare=compare),
    }
    return {slot: Path(file.artifact.path) for slot, file in files.items()}


if __name__ == "__main__":
    main(LAB, make_models)
