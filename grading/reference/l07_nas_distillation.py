"""A solution of l07: eight small students are searched while their teacher teaches; the best is handed in as it was taught."""

from dataclasses import replace
from pathlib import Path

from grading.reference.build import main

LAB = "l07_nas_distillation"
TRIALS = 8
# Images, epochs of the teacher and of a student, most multiply-accumulates of a student.
SETTINGS = {"quick": ("digits", 1077, 6, 10, 60_000), "full": ("mnist", 12_000, 2, 3, 600_000)}
# On larger images, two convolutions of 3×3 see too little of a digit before the mean.
CHOICES = {"quick": {"depth": (2,), "kernel": (3,)}, "full": {"depth": (3,), "kernel": (5,), "stride": (2,)}}


def make_models(scale: str, folder: Path) -> dict[str, Path]:
    """The model of the slot, by slot; writes the study beside it."""
    import optuna
    import tf_keras as keras

    from projectkit import data, distill, export, models, nas, train
    from projectkit.types import Recipe

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name, images, teaching, epochs, most_macs = SETTINGS[scale]
    dataset = data.load(name)
    dataset = replace(dataset, train=dataset.train.take(images))
    teacher = models.build("convnet", dataset, widths=(16, 32, 64))
    train.fit(teacher, dataset, Recipe(epochs=teaching, learning_rate=4e-3), progress=False)
    answers = distill.teacher_logits(teacher, dataset.train)
    space = nas.Space(**CHOICES[scale], filters=(8, 16), depthwise=(False,), activation=("relu",), skip=(False,))

    def evaluate(architecture: nas.Architecture, trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        student = nas.build(architecture, dataset.shape, len(dataset.classes))
        recipe = Recipe(epochs=epochs, batch_size=32, learning_rate=1e-2)
        history = distill.distill(student, answers, dataset, recipe, progress=False)
        export.write(student, folder / f"{architecture.digest}.tflite", compare=dataset.val.x[:200])
        return history.val_accuracy[-1]

    study = optuna.create_study(direction="maximize", sampler=nas.SAMPLERS["grid"](space.genes(), seed=0))
    run = nas.objective(space, evaluate, shape=dataset.shape, classes=len(dataset.classes), most_macs=most_macs)
    while len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])) < TRIALS:
        nas.search(study, run, trials=1)
    nas.export_study(study, folder / "study.json")
    return {"student": folder / f"{study.best_trial.user_attrs['digest']}.tflite"}


if __name__ == "__main__":
    main(LAB, make_models)
