"""Several models on one device: who runs where, on how many threads, from which file, and which request goes first.

costs = profile(workload)                    # each model alone, each pair side by side
searched = find(workload, costs)             # simulates the plans that there are
proof = prove(workload, {"planned": searched.found.plan, ...}, blocks=5, seconds=3.0)
"""

from projectkit.schedule.arrivals import ARRIVALS, draw_arrivals
from projectkit.schedule.deploy import Deployment, Proof, deploy, prove, run
from projectkit.schedule.metrics import Result, TaskResult, jain, mean_interval, result
from projectkit.schedule.optimize import OPTIMIZERS, Found
from projectkit.schedule.plans import NAIVE, Score, Space, evaluation, space
from projectkit.schedule.processes import available_cores
from projectkit.schedule.profile import profile
from projectkit.schedule.search import Searched, find
from projectkit.schedule.simulate import simulate
from projectkit.schedule.types import ORDERS, Choice, Costs, Plan, Task, Trace, Workload

__all__ = [
    "ARRIVALS",
    "NAIVE",
    "OPTIMIZERS",
    "ORDERS",
    "Choice",
    "Costs",
    "Deployment",
    "Found",
    "Plan",
    "Proof",
    "Result",
    "Score",
    "Searched",
    "Space",
    "Task",
    "TaskResult",
    "Trace",
    "Workload",
    "available_cores",
    "deploy",
    "draw_arrivals",
    "evaluation",
    "find",
    "jain",
    "mean_interval",
    "profile",
    "prove",
    "result",
    "run",
    "simulate",
    "space",
]
