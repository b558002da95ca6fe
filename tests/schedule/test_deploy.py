"""Plans that really run: processes, cores, open loop, deaths. All durations follow from times that are measured here."""

import contextlib
import os
import signal
import threading
import time

import numpy as np
import psutil
import pytest

from models_by_hand import linear_onnx, linear_tflite, saved, slow_onnx
from projectkit import runtimes
from projectkit.data import load
from projectkit.errors import ScheduleError
from projectkit.schedule import Choice, Plan, Task, Workload, deploy, find, profile, prove, result, run
from projectkit.types import Artifact

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
needs_two_cores = pytest.mark.skipif(CORES < 2, reason="there is one core")
LONG = 0.08  # seconds, about, that a call of the long model takes here


def seconds_of(path):
    with contextlib.closing(runtimes.open(Artifact.of(path))) as session:
        x, took = load("digits").val.x[:1], []
        for _ in range(3):
            start = time.perf_counter()
            session.run(x)
            took.append(time.perf_counter() - start)
    return min(took)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The paths of a model that takes LONG seconds on this machine, and of one that takes next to nothing."""
    folder = tmp_path_factory.mktemp("models")
    trial = saved(folder, "trial.onnx", slow_onnx(200))
    long = saved(folder, "long.onnx", slow_onnx(max(1, round(200 * LONG / seconds_of(trial)))))
    return {"long": str(long), "short": str(saved(folder, "short.tflite", linear_tflite()))}


@pytest.fixture(scope="module")
def long_seconds(files):
    return seconds_of(files["long"])


def pair(files, long_rate=1.0, short_rate=1.0, long_deadline=9.0, short_deadline=9.0):
    tasks = (
        Task("long", (files["long"],), long_rate, long_deadline, "periodic"),
        Task("short", (files["short"],), short_rate, short_deadline),
    )
    return Workload(tasks, min(2, CORES))


TOGETHER = Plan((Choice(), Choice()), "fifo")
APART = Plan((Choice(process=0), Choice(process=1, cores=(min(1, CORES - 1),))))


@needs_two_cores
def test_the_plan_that_is_found_meets_deadlines_that_the_naive_one_misses(files, long_seconds):
    """A long call blocks requests that want a quick answer. Rates and deadlines follow from the long model's time."""
    workload = pair(files, 0.5 / long_seconds, 12 / long_seconds, 4 * long_seconds, 0.25 * long_seconds)
    costs = profile(workload, seconds=0.1)
    searched = find(workload, costs, seconds=30 * long_seconds)
    naive, simulated = searched.naive["one_after_another"]
    assert searched.found.score.misses < simulated.misses
    plans = {"planned": searched.found.plan, "naive": naive}
    proof = prove(workload, plans, blocks=3, seconds=8 * long_seconds)
    short = {name: np.median([one.tasks[1].misses for one in proof.results[name]]) for name in plans}
    assert short["planned"] < 0.5 * short["naive"]
    assert {one.tasks[1].requests for one in proof.results["planned"]} == {
        one.tasks[1].requests for one in proof.results["naive"]
    }


def test_latency_counts_from_the_arrival_and_calls_of_a_process_do_not_overlap(files, long_seconds):
    workload = pair(files)
    with deploy(workload, TOGETHER) as deployment:
        trace = deployment.run([np.zeros(2), np.array([0.0, 0.1 * long_seconds])], span=20 * long_seconds)
    assert trace.task.tolist() == [0, 0, 1, 1] or trace.task.tolist() == [0, 1, 0, 1]
    assert np.all(trace.begin >= trace.arrival) and np.all(trace.begin[1:] >= trace.end[:-1])
    latency = trace.end - trace.arrival
    assert latency[trace.task == 0][1] > 1.5 * (trace.end - trace.begin)[trace.task == 0][0], "it waited for the first"
    assert trace.memory > 1e7


def test_earliest_deadline_first_is_what_the_process_does(files, long_seconds):
    workload = pair(files, long_deadline=90.0, short_deadline=1.0)
    arrivals = [np.zeros(3), np.full(2, 0.2 * long_seconds)]
    orders = {}
    for order in ("edf", "fifo"):
        with deploy(workload, Plan((Choice(), Choice()), order)) as deployment:
            orders[order] = deployment.run(arrivals, span=30 * long_seconds).task.tolist()
    assert orders == {"edf": [0, 1, 1, 0, 0], "fifo": [0, 0, 0, 1, 1]}


def test_the_bytes_of_a_plan_are_near_the_sum_of_its_parts(files, tmp_path):
    wide = str(saved(tmp_path, "wide.onnx", linear_onnx(100_000)))
    workload = Workload((Task("wide", (wide,), 5.0, 9.0), Task("short", (files["short"],), 5.0, 9.0)), 1)
    costs = profile(workload, seconds=0.02)
    apart = Plan((Choice(process=0), Choice(process=1)))
    measured = {plan: run(workload, plan, seconds=1, seed=0).memory for plan in (TOGETHER, apart)}
    assert measured[TOGETHER] < measured[apart], "a process more"
    for plan, found in measured.items():
        assert costs.memory_of(plan) == pytest.approx(found, rel=0.25)


def test_what_was_never_answered_is_missed(files, long_seconds):
    workload = pair(files, long_deadline=1e-9)
    with deploy(workload, TOGETHER) as deployment:
        trace = deployment.run([np.zeros(50), np.zeros(0)], span=2 * long_seconds)
    never = np.isnan(trace.begin)
    assert 0 < never.sum() < 50 and np.isfinite(trace.end).all()
    patient = Workload((Task("long", (files["long"],), 1.0, 1e9), workload.tasks[1]), workload.cores)
    assert result(patient, trace).tasks[0].misses == never.mean()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no process chooses its cores here")
@needs_two_cores
def test_a_process_stays_on_its_cores(files):
    with deploy(pair(files), APART) as deployment:
        first, second = (psutil.Process(number).cpu_affinity() for number in deployment.processes.ids)
    assert len(first) == len(second) == 1 and first != second
    assert set(first + second) <= os.sched_getaffinity(0), "the parent keeps its own"


def test_a_process_that_dies_in_the_middle_stops_the_others_with_a_sentence(files, long_seconds):
    with (
        pytest.raises(ScheduleError, match=r"process of long has died \(SIGKILL\).*others? .*stopped"),
        deploy(pair(files), APART) as deployment,
    ):
        ids = deployment.processes.ids
        killer = threading.Timer(long_seconds, os.kill, (ids[0], signal.SIGKILL))
        killer.start()
        deployment.run([np.arange(0, 90, long_seconds), np.arange(0, 90, 0.1)], span=100)
    assert not any(psutil.pid_exists(number) for number in ids)


def test_a_file_that_cannot_be_opened_is_refused_and_nobody_stays(files, tmp_path):
    broken = saved(tmp_path, "broken.tflite", b"TFL3" + b"\0" * 100)
    workload = pair({"long": str(broken), "short": files["short"]})
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(ScheduleError, match=r"process of long refuses: .*broken.tflite"):
        run(workload, APART, seconds=1, seed=0)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_more_cores_than_there_are_are_refused(files):
    plan = Plan((Choice(cores=(CORES,)), Choice(cores=(CORES,))))
    with pytest.raises(ScheduleError, match=f"for {CORES + 1} cores, and this process may use {CORES}"):
        run(pair(files), plan, seconds=1, seed=0)
    with pytest.raises(ScheduleError, match="Give cores = "):
        profile(Workload(pair(files).tasks, CORES + 1))


def test_a_profile_knows_every_call_that_a_plan_can_make(files, tmp_path):
    wide = str(saved(tmp_path, "wide.onnx", linear_onnx(20_000)))
    tasks = (Task("short", (files["short"], wide), 1.0, 1.0), Task("wide", (wide,), 1.0, 1.0))
    costs = profile(Workload(tasks, 1, batches=(1, 8)), seconds=0.02)
    assert set(costs.seconds) == {(task, variant, 1, batch) for task, variant in ((0, 0), (0, 1), (1, 0)) for batch in (1, 8)}
    assert set(costs.memory) == set(costs.seconds) and costs.process > 1e6
    assert costs.seconds[0, 1, 1, 1] > 2 * costs.seconds[0, 0, 1, 1] > 0
    assert costs.memory[1, 0, 1, 1] > 4e6, "its weights are 5 MB"
    assert costs.memory[0, 0, 1, 8] >= costs.memory[0, 0, 1, 1], "a session more"
    assert costs.together.shape == (2, 2) and np.all(costs.together > 0) and costs.missing["apart"] == "there is one core"
