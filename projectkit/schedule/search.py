"""From costs to a plan: the optimizers' best, beside the plans that need no thought."""

from collections.abc import Mapping
from dataclasses import dataclass

from projectkit.errors import ScheduleError
from projectkit.schedule.optimize import OPTIMIZERS, Found
from projectkit.schedule.plans import NAIVE, Score, evaluation, space
from projectkit.schedule.types import Costs, Plan, Workload


@dataclass(frozen=True, slots=True)
class Searched:
    """The plan that was found, and the scores of the naive ones on the same requests; all scores are simulated."""

    found: Found
    naive: Mapping[str, tuple[Plan, Score]]


def find(workload: Workload, costs: Costs, *, optimizer: str = "exhaustive", seconds: float = 20.0, seed: int = 0) -> Searched:
    """The best plan by simulation on `seconds` of requests drawn from `seed`; a naive one if it is at least as good.

    Raises ScheduleError when every plan that was played needs more memory than the cap.
    """
    evaluate = evaluation(workload, costs, seconds=seconds, seed=seed)
    naive = {name: (make(workload), evaluate(make(workload))) for name, make in NAIVE.items()}
    found = OPTIMIZERS[optimizer](space(workload, costs), evaluate, seed=seed)
    played = found.played + len(naive)
    simple = (Found(plan, score, played) for plan, score in naive.values())
    best = min([*simple, Found(found.plan, found.score, played)], key=lambda one: one.score)
    if best.score.over and workload.memory_cap is not None:
        raise ScheduleError(
            f"The smallest plan needs {best.score.memory / 1e6:.0f} MB, the cap is {workload.memory_cap / 1e6:.0f} MB. "
            "Raise memory_cap, or give smaller files."
        )
    return Searched(best, naive)
