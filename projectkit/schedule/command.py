"""What `projectkit schedule` does."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from projectkit.measure.quantiles import least_samples
from projectkit.schedule.deploy import Proof, prove
from projectkit.schedule.metrics import mean_interval
from projectkit.schedule.profile import profile
from projectkit.schedule.search import Searched, find
from projectkit.schedule.settings import ScheduleSettings, read_settings
from projectkit.schedule.types import Costs, Plan, Workload
from projectkit.types import Measurement

PLANNED = "planned"


def run_schedule(file: Path, *, say: Callable[[str], None] = print) -> Proof:
    """Profiles the models of `file`, looks for a plan, runs it beside the naive ones in turn, says all of it, and writes it as
    JSON beside the file.

    Raises ScheduleError for settings that make no sense, files that cannot be opened and plans that cannot be run.
    """
    settings = read_settings(file)
    workload = settings.workload
    say(f"Measuring {len(workload.tasks)} models on {workload.cores} cores, alone and in pairs …")
    costs = profile(workload, seconds=settings.profile)
    for line in describe_costs(workload, costs):
        say(line)
    searched = find(workload, costs, optimizer=settings.optimizer, seconds=settings.simulate, seed=settings.seed)
    found = searched.found
    say(f"{settings.optimizer}: the best of {found.played} plans, in simulation {found.score.misses:.1%} missed:")
    for line in describe_plan(workload, found.plan):
        say(line)
    say(f"Running it beside the naive plans, {settings.blocks} blocks of {settings.seconds:g} s each, in turn …")
    plans = {PLANNED: found.plan} | {name: plan for name, (plan, _) in searched.naive.items()}
    proof = prove(workload, plans, blocks=settings.blocks, seconds=settings.seconds, seed=settings.seed + 1)
    _table(workload, proof)
    for line in _too_few(proof):
        say(line)
    for name in searched.naive:
        mean, half = mean_interval(proof.misses(name) - proof.misses(PLANNED))
        say(f"{name} misses {100 * mean:+.1f} ± {100 * half:.1f} points more than the plan (paired by blocks, 95 %).")
    memory = max(one.memory for one in proof.results[PLANNED])
    if workload.memory_cap is not None and memory > workload.memory_cap:
        say(f"In the run the plan took {memory / 1e6:.0f} MB, more than its parts did one by one and than the cap. Lower it.")
    target = file.with_suffix(".json")
    target.write_text(json.dumps(_document(settings, costs, searched, proof), indent=1) + "\n", "utf-8")
    say(f"The plan: {target}")
    return proof


def describe_costs(workload: Workload, costs: Costs) -> list[str]:
    """One line a call, one a pair, and why something is missing."""
    lines = []
    for (task, variant, threads, batch), seconds in sorted(costs.seconds.items()):
        name = Path(workload.tasks[task].files[variant]).name
        together = f", {batch} requests a call" if batch > 1 else ""
        memory = costs.memory[task, variant, threads, batch]
        lines.append(f"  {name}, {_threads(threads)}{together}: {1000 * seconds:.3g} ms, {memory / 1e6:.1f} MB")
    names = [task.name for task in workload.tasks]
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            if i != j:
                apart = "" if "apart" in costs.missing else f" {costs.apart[i, j]:.2f}× on other cores,"
                lines.append(f"  {one} beside {other}:{apart} {costs.together[i, j]:.2f}× on the same")
    return [*lines, *(f"  missing: {what} ({why})" for what, why in costs.missing.items())]


def describe_plan(workload: Workload, plan: Plan) -> list[str]:
    """One line a process."""
    lines = []
    for tasks in plan.processes().values():
        cores = ", ".join(map(str, plan.choices[tasks[0]].cores))
        order = f" ({plan.order})" if len(tasks) > 1 else ""
        models = []
        for task in tasks:
            choice = plan.choices[task]
            batch = f", {choice.batch} requests a call" if choice.batch > 1 else ""
            file = Path(workload.tasks[task].files[choice.variant]).name
            models.append(f"{workload.tasks[task].name} as {file} with {_threads(choice.threads)}{batch}")
        lines.append(f"  core {cores}{order}: {'; '.join(models)}")
    return lines


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _table(workload: Workload, proof: Proof) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Measured: means of the blocks, the share missed with its 95 % interval", title_justify="left")
    models = (f"{task.name}: missed, mean, p90, p99, answers" for task in workload.tasks)
    for heading in ("plan", "missed", *models, "fairness", "memory"):
        table.add_column(heading)
    for name, results in proof.results.items():
        mean, half = mean_interval([one.misses for one in results])
        cells = []
        for place in range(len(workload.tasks)):
            mine = [one.tasks[place] for one in results]
            missed, latency, answers = (
                sum(getattr(each, what) for each in mine) / len(mine) for what in ("misses", "latency", "throughput")
            )
            p90, p99 = (_mean_quantile([getattr(each, what) for each in mine]) for what in ("p90", "p99"))
            cells.append(f"{missed:.1%}, {1000 * latency:.3g} ms, {p90}, {p99}, {answers:.3g}/s")
        fairness = sum(one.fairness for one in results) / len(results)
        table.add_row(
            name,
            f"{mean:.1%} ± {100 * half:.1f}",
            *cells,
            f"{fairness:.2f}",
            f"{max(one.memory for one in results) / 1e6:.0f} MB",
        )
    Console().print(table)


def _too_few(proof: Proof) -> list[str]:
    """Why there are dashes in the table, where there are any."""
    requests = min(task.requests for results in proof.results.values() for one in results for task in one.tasks)
    if requests >= least_samples(0.99):
        return []
    return [
        f"–: a quantile is given where every block holds its 95 % interval, which takes {least_samples(0.9)} requests for a p90 "
        f"and {least_samples(0.99)} for a p99; the shortest stream of a block had {requests}."
    ]


def _mean_quantile(of_blocks: list[Measurement | None]) -> str:
    """The mean over the blocks, where each block has one."""
    values = [one.value for one in of_blocks if one]
    return f"{1000 * sum(values) / len(values):.3g} ms" if len(values) == len(of_blocks) else "–"


def _document(settings: ScheduleSettings, costs: Costs, searched: Searched, proof: Proof) -> dict[str, Any]:
    calls = [
        dict(zip(("model", "file", "threads", "batch"), call, strict=True)) | {"seconds": seconds, "memory": costs.memory[call]}
        for call, seconds in sorted(costs.seconds.items())
    ]
    return {
        "settings": asdict(settings),
        "costs": {
            "calls": calls,
            "process": costs.process,
            "slowdown on other cores": costs.apart.tolist(),
            "slowdown on the same cores": costs.together.tolist(),
            "missing": dict(costs.missing),
        },
        "plan": asdict(searched.found.plan),
        "simulated": asdict(searched.found.score),
        "measured": {name: [asdict(one) for one in results] for name, results in proof.results.items()},
    }
