"""What `projectkit search` does."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import optuna
from optuna.study import Study

from projectkit import data
from projectkit.nas import report
from projectkit.nas.evaluation import check_recipe, evaluation
from projectkit.nas.history import MOST_REPEATS
from projectkit.nas.joining import join
from projectkit.nas.objective import objective
from projectkit.nas.places import survey
from projectkit.nas.settings import SearchSettings, read_settings
from projectkit.nas.storage import open_storage, shown, storage_errors
from projectkit.nas.study_file import export_study
from projectkit.nas.worker import work
from projectkit.types import Dataset


def run_search(
    file: Path, *, storage: str | None = None, worker: bool = False, stale_after: float = 60.0, say: Callable[[str], None] = print
) -> Study:
    """Runs the search that `file` describes, or goes on with it, until it has its number of trials; returns the study.

    storage: a journal file's path or a database's URL; by default FILE.journal beside the file. A worker says each trial in a
    line; otherwise there is a progress bar, the best networks are shown at the end, and the study is written as
    FILE.study.json. Raises SearchError for settings that make no sense or are not the study's, and for a storage that cannot
    be used; DataError for the dataset.
    """
    settings, place = read_settings(file), storage or str(file.with_suffix(".journal"))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    dataset = data.load(settings.dataset)
    opened = open_storage(place)
    with storage_errors(place):
        study = join(settings, dataset, opened, before_making=partial(check_recipe, settings, dataset))
        if not survey(study.get_trials(deepcopy=False), settings.trials).ended:
            with _terminated_as_interrupted():
                _work(study, settings, dataset, stale_after, say if worker else None)
        places = survey(study.get_trials(deepcopy=False), settings.trials)
        if places.finished < settings.trials:
            say(f"Nothing new came {MOST_REPEATS} times in a row: the search ends after {places.finished} architectures.")
        elif worker:
            say(f"The study {study.study_name} has its {settings.trials} trials.")
        if not worker:
            _conclude(study, settings, place, file.with_suffix(".study.json"), say)
    return study


def _work(
    study: Study, settings: SearchSettings, dataset: Dataset, stale_after: float, say: Callable[[str], None] | None
) -> None:
    from tqdm import tqdm

    def finished() -> int:
        return survey(study.get_trials(deepcopy=False), settings.trials).finished

    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=settings.trials, initial=finished(), desc=study.study_name, unit="trial", disable=say is not None) as bar,
    ):

        def after(study: Study, trial: optuna.trial.FrozenTrial) -> None:
            if say is not None:
                say(report.line(trial, settings.objectives))
                return
            best = report.front(study)
            bar.set_postfix_str(f"best {best[0].values[0]:.2%}" if best else "")
            bar.update(finished() - bar.n)

        run = objective(
            settings.space,
            evaluation(settings, dataset, Path(folder)),
            shape=dataset.shape,
            classes=len(dataset.classes),
            most_parameters=settings.most_parameters,
            most_macs=settings.most_macs,
        )
        work(study, run, trials=settings.trials, stale_after=stale_after, after=after)


def _conclude(study: Study, settings: SearchSettings, place: str, path: Path, say: Callable[[str], None]) -> None:
    from rich.console import Console

    for line in report.summary(study):
        say(line)
    if report.front(study):
        Console().print(report.table(study, settings.objectives))
    else:
        say("No trial came to its end within the limits: there is no best network. Look at the reasons above, or widen them.")
    say(f"Storage: {shown(place)}")
    say(f"As JSON: {export_study(study, path)}")


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """A batch system that ends the job lets the worker give its trial back first."""

    def stop(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
