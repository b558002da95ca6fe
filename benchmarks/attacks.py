"""Our attacks beside those of foolbox and the Adversarial Robustness Toolbox: the accuracy that each leaves a model.

    PROJECTKIT_DATA=FOLDER python benchmarks/attacks.py

FOLDER holds mnist.npz. All attack the same network, the convnet that grading/baselines keeps for MNIST, on the same test images
within the same radius and with equal budgets; what each gives is projected into the ball and counted by `robustness.evaluate`.
A run that was killed goes on where it stopped.
"""

import projectkit  # noqa: F401 — chooses Keras 2 before TensorFlow is loaded

# isort: split
import time
from functools import partial
from pathlib import Path

import tf_keras as keras
from attack_oracles import PAIRS, Pair

from projectkit import data, robustness
from projectkit.types import Split
from record import Raw, percent, write_rows

MODEL = Path(__file__).parent.parent / "grading" / "baselines" / "mnist_convnet.keras"
COMMAND = "python benchmarks/attacks.py"
RADII = {"linf": 0.04, "l2": 0.7, "l0": 0.015}
IMAGES = 300
FEWER = {"universal": 40, "boundary": 100, "hop_skip_jump": 100, "apgd_targeted": 60, "strongest": 60}
LARGER = {"universal": 0.06, "boundary": 2.0, "hop_skip_jump": 1.5}  # what is weaker with so little to spend needs more room


def main() -> None:
    raw, test = Raw("attacks"), data.load("mnist").test
    model = keras.models.load_model(MODEL, compile=False)
    for name, pair in PAIRS.items():
        for whose, attack in {"ours": pair.ours, **pair.theirs}.items():
            raw.take(f"{name}.{whose}", partial(measured, model, test.take(FEWER.get(name, IMAGES)), attack, name, pair))
    write_rows("attacks", [row_of(name, pair, raw) for name, pair in PAIRS.items()])


def measured(model: keras.Model, images: Split, attack, name: str, pair: Pair) -> dict:
    """The share of the images that stand, in percent with its interval, and the seconds that it took to find out."""
    started = time.perf_counter()
    robust = robustness.evaluate(model, images.x, images.y, attack, radius(name, pair), norm=pair.norm)
    return {"robust": percent(robust), "seconds": round(time.perf_counter() - started, 1)}


def row_of(name: str, pair: Pair, raw: Raw) -> dict:
    """Ours, and theirs beside it."""
    ours = raw.take(f"{name}.ours", dict)
    value, low, high, n = ours["robust"]
    theirs = {whose: raw.take(f"{name}.{whose}", dict) for whose in pair.theirs}
    times = ", ".join(f"{whose} {one['seconds']:g} s" for whose, one in {"ours": ours, **theirs}.items())
    return {
        "what": f"attacks.oracle.{name}",
        "value": value,
        "low": low,
        "high": high,
        "n": n,
        "unit": "%",
        "beside": {whose: one["robust"][0] for whose, one in theirs.items()},
        "command": COMMAND,
        "note": f"of {n} MNIST test images still right: the fewer, the stronger; {pair.norm}, ε = {radius(name, pair):g}; "
        f"{pair.budget}; 95 % Wilson interval; {times}",
    }


def radius(name: str, pair: Pair) -> float:
    """In the norm of the pair."""
    return LARGER.get(name, RADII[pair.norm])


if __name__ == "__main__":
    main()
