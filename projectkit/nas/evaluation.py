"""What a search from a file does with each architecture."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from optuna.trial import Trial

from projectkit.devices import Remote, connected, read_device
from projectkit.errors import DeviceError
from projectkit.nas.latency import latency_ratio, write_reference
from projectkit.nas.network import build
from projectkit.nas.objective import Evaluate
from projectkit.nas.on_device import measure_architecture, note_measured
from projectkit.nas.settings import SearchSettings
from projectkit.nas.training import train_and_validate
from projectkit.nas.types import Architecture
from projectkit.types import Dataset

IMAGES = 64  # of the validation split, for the latency


def evaluation(settings: SearchSettings, dataset: Dataset, folder: Path) -> Evaluate:
    """(architecture, trial) -> one value an objective, in the order of the settings.

    latency: the exported file's against a fixed network's (`latency_ratio`), whose file is written into `folder`; memory: its
    peak_memory. Both are measured before the training, on the settings' device, and stand beside the trial with their intervals
    and the `device`.
    """
    images, classes = dataset.val.x[:IMAGES], len(dataset.classes)
    measured = "latency" in settings.objectives or settings.measures_on_device
    reference = write_reference(folder / "reference.tflite", images, classes) if measured else None
    device = read_device(settings.device or "here")

    def evaluate(architecture: Architecture, trial: Trial) -> Sequence[float]:
        known = {name: trial.user_attrs[name] for name in ("parameters", "macs")}
        if reference is not None and settings.measures_on_device:
            profile = measure_architecture(architecture, device, reference, images, classes)
            known |= note_measured(trial, profile, most_memory=settings.most_memory)
        elif reference is not None:
            from projectkit import measure

            ratio = latency_ratio(architecture, reference, images, classes)
            trial.set_user_attr("latency_ratio", asdict(ratio))
            trial.set_user_attr("device", measure.device())
            known["latency"] = ratio.value
        known["accuracy"] = train_and_validate(architecture, trial, dataset, settings.recipe, patience=settings.patience or None)
        return [known[name] for name in settings.objectives]

    return evaluate


def check_recipe(settings: SearchSettings, dataset: Dataset) -> None:
    """Before a study is made that holds the settings: raises ModelError for a recipe that cannot train any network of the space,
    DeviceError for a device that is not there."""
    from projectkit.train.fit import optimizer_for, refuse_nonsense

    model = build(next(settings.space.architectures()), dataset.shape, len(dataset.classes))
    refuse_nonsense(model, dataset, settings.recipe)
    device = read_device(settings.device or "here")
    if isinstance(device, Remote) and not connected(device):
        raise DeviceError(f"{device}: no such device is connected. Start `projectkit agent` on it, or search here.")
    optimizer_for(settings.recipe, dataset)
