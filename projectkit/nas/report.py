"""What a search has found, for people."""

import collections
from typing import TYPE_CHECKING

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from projectkit.nas.history import SAME_AS, repeats
from projectkit.nas.places import lost
from projectkit.nas.types import parse

if TYPE_CHECKING:
    from rich.table import Table

MEASURED = ("latency", "memory")  # objectives that only a device can tell
WORDS = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed", TrialState.RUNNING: "running"}


def front(study: Study) -> list[FrozenTrial]:
    """The best trial; with several objectives the trials that no other beats in all of them, each network once, by the first.
    Those that break a constraint are left out."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    fitting = [trial for trial in complete if all(value <= 0 for value in trial.constraints.values())]
    if not fitting:
        return []
    if len(study.directions) == 1:
        return [study.best_trial]
    trials = [trial for trial in study.best_trials if not repeats(trial)]
    return sorted(trials, key=lambda trial: trial.values[0], reverse=True)


def table(study: Study, objectives: tuple[str, ...]) -> "Table":
    """A rich table of `front`: each trial with its cost and its network. Latency is relative to the fixed network's, memory that
    of the runtime with the network."""
    from rich.table import Table

    title = "The best network" if len(objectives) == 1 else "The Pareto front"
    result = Table(title=f"{title} of {study.study_name}", title_justify="left")
    for heading in ("trial", "accuracy", *[name for name in objectives if name in MEASURED], "parameters", "MACs"):
        result.add_column(heading, justify="right")
    result.add_column("blocks")
    for trial in front(study):
        known, about = dict(zip(objectives, trial.values, strict=True)), trial.user_attrs
        cells = [str(trial.number), f"{known['accuracy']:.2%}"]
        cells += [shown(name, known[name]) for name in objectives if name in MEASURED]
        result.add_row(*cells, f"{about['parameters']:,}", f"{about['macs']:,}", str(parse(about["architecture"])))
    return result


def line(trial: FrozenTrial, objectives: tuple[str, ...]) -> str:
    """One trial in one line."""
    about = trial.user_attrs
    price = f"{about['parameters']:,} parameters, {about['macs']:,} MACs" if "macs" in about else ""
    if trial.state != TrialState.COMPLETE:
        return f"trial {trial.number}: {WORDS[trial.state]}, {about.get('reason', 'without a reason')}"
    known = dict(zip(objectives, trial.values, strict=True))
    measured = [f"{name} {shown(name, known[name])}" for name in objectives if name in MEASURED]
    words = [f"{known['accuracy']:.2%}", *measured, price]
    if beyond := [name for name, value in trial.constraints.items() if value > 0]:
        words.append(f"beyond the limit of {', '.join(beyond)}")
    if repeats(trial):
        words.append(f"as trial {about[SAME_AS]}")
    return f"trial {trial.number}: {', '.join(words)}"


def shown(objective: str, value: float) -> str:
    """A measured objective for people."""
    return f"{value / 1e6:.2f} MB" if objective == "memory" else f"ratio {value:.3f}"


def summary(study: Study) -> list[str]:
    """How many trials ended how, and why some failed; on which devices, when the latencies are of several."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
    counts = collections.Counter("lost with its worker" if lost(trial) else WORDS[trial.state] for trial in trials)
    lines = [f"{len(trials)} trials: {', '.join(f'{count} {word}' for word, count in counts.most_common())}"]
    if again := sum(map(repeats, trials)):
        lines.append(f"  {again} of them repeated an architecture, which costs nothing: {len(trials) - again} different ones")
    reasons = collections.Counter(t.user_attrs.get("reason") for t in trials if t.state == TrialState.FAIL and not lost(t))
    lines += [f"  failed {count} times: {reason}" for reason, count in reasons.most_common(5)]
    devices = {trial.user_attrs["device"] for trial in trials if "device" in trial.user_attrs}
    if len(devices) > 1:
        lines.append(f"  latencies of {len(devices)} devices, which cannot be compared: {'; '.join(sorted(devices))}")
    return lines
