"""The same work on a real Dask cluster of two processes on this machine: the same results but for what was measured."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grading.cli import app
from grading.engine import Options, grade
from grading.errors import SandboxError
from grading.exercises import SOLUTIONS
from grading.workers import cluster
from grading.workers.cluster import Cluster
from models_by_hand import linear_onnx, linear_tflite, saved
from projectkit.submit import exercise_inputs, pack
from rubrics_by_hand import rubric
from waiting import wait_for

pytest.importorskip("distributed", reason="Dask is not installed (the extra `cluster`)")
LAB = "l01_quantization"
METRICS = {
    "accuracy": {"floor": 0.5, "target": 0.99},
    "macs": {"floor": 2.0, "target": 1.0, "relative": True},
    "latency_p50": {"floor": 100, "target": 50, "relative": True},
    "nll": {"floor": 3.0, "target": 0.0, "relative": True},
    "corrupted_accuracy": {"floor": 0.0, "target": 1.0},
    "robust_accuracy": {"floor": 0.0, "target": 1.0},
}
CHECKS = [
    {"id": f"{slot}_{metric}", "slot": slot, "metric": metric} | ends
    for slot in ("first", "lite")
    for metric, ends in METRICS.items()
]
PROBES = "[scale.quick.attack]\nepsilon = 0.06\nqueries = 30\nimages = 40\n[scale.quick.corruption]\nimages = 40\n"
RUBRIC = rubric(LAB, "A course on a cluster", CHECKS, baseline="wide.onnx", seconds=10, budget=0.05).replace(
    "[[", PROBES + "[[", 1
)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("cluster")
    saved(root / "rubrics", f"{LAB}.toml", RUBRIC.encode())
    saved(root / "baselines", "wide.onnx", linear_onnx(hidden=128))
    first, lite = saved(root, "first.onnx", linear_onnx()), saved(root, "lite.tflite", linear_tflite())
    broken = saved(root, "broken.onnx", linear_onnx().replace(b"Gemm", b"Gxmm"))
    (root / "subs").mkdir()
    for index in range(6):
        student = f"student{index}"
        answers = {"affine": SOLUTIONS[LAB]["affine"](exercise_inputs(student, LAB, "affine"))}
        models = {"first": broken if index == 3 else first, "lite": lite}
        pack(root / "subs" / f"{student}.zip", student=student, lab=LAB, artifacts=models, answers=answers)
    return root


@contextmanager
def running(folder: Path, workers: int, protocol: str, environment: dict[str, str]):
    """A scheduler and some workers, each a process of its own; gives the address and the workers."""
    file, processes = folder / "scheduler.json", []

    def start(*words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file), "--no-dashboard"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=os.environ | environment,
            start_new_session=True,
        )
        processes.append(process)
        return process

    try:
        start("scheduler", "--host", f"{protocol}://127.0.0.1", "--port", "0")
        wait_for(file.exists)
        started = [start("worker", "--no-nanny", "--nthreads", "1") for _ in range(workers)]
        address = json.loads(file.read_text())["address"]
        wait_for(lambda: count_workers(address, environment) == workers)
        yield address, started
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    with running(tmp_path_factory.mktemp("dask"), 2, "tcp", {}) as found:
        yield found


def count_workers(address: str, environment: dict[str, str]) -> int:
    """In another process, whose Dask reads the environment."""
    code = (
        "import sys; from distributed import Client\n"
        "with Client(sys.argv[1], timeout=30) as client: print(len(client.scheduler_info(n_workers=-1)['workers']))"
    )
    done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def without_measurements(path: Path) -> dict:
    """A result file without the numbers that a clock gave, and what follows from them: their sentences."""
    result = json.loads(path.read_text())
    for key in ("when", "seconds"):
        del result["measured"][key]
    for slot in result["measured"]["slots"].values():
        slot["remarks"] = []
        for values in (slot["ratios"], slot["profile"]["values"]):
            for metric in [metric for metric in values if metric.startswith("latency")]:
                values[metric] = "measured"
    for verdict in result["verdicts"]:
        if verdict["check"]["metric"].startswith("latency") and verdict["measured"]:
            verdict["measured"] = verdict["message"] = "measured"
    return result


def test_a_cluster_gives_the_same_results(course, dask):
    address, _ = dask
    options = {"rubrics": course / "rubrics", "salt": "pepper"}
    here = grade(course / "subs", course / "here", Options(**options))
    there = grade(course / "subs", course / "there", Options(**options, scheduler=address))
    assert [one.score for one in here] == [one.score for one in there]
    assert len({one.score for one in here}) == 2  # the broken model costs its points here and there
    for path in sorted((course / "here" / "results").glob("*.json")):
        assert without_measurements(path) == without_measurements(course / "there" / "results" / path.name)
    assert (course / "here" / "grades.csv").read_bytes() == (course / "there" / "grades.csv").read_bytes()


def test_the_command_line_and_a_worker_that_dies(course, dask):
    """Half of the cluster dies in the middle of a run: its jobs go to the other half, and nothing is lost."""
    address, workers = dask
    out = course / "dying"
    command = [sys.executable, "-m", "grading", "run", str(course / "subs"), "--out", str(out), "--scheduler", address]
    command += ["--rubrics", str(course / "rubrics"), "--salt", "pepper"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list(out.glob("results/*.json")))
    os.killpg(workers[0].pid, signal.SIGKILL)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "6 graded" in printed
    assert (out / "grades.csv").read_bytes() == (course / "there" / "grades.csv").read_bytes()


def test_no_cluster_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1.0)
    for address in ("tcp://127.0.0.1:9", "127.0.0.1", "http://127.0.0.1:1"):
        with pytest.raises(SandboxError, match=r"--scheduler.*leave --scheduler out"):
            Cluster(address)


@pytest.mark.skipif(not shutil.which("openssl"), reason="certificates are made with openssl, which is not installed")
def test_a_cluster_with_certificates(course, tmp_path, monkeypatch):
    """tls://, with the certificates that Dask's own configuration names; without them nobody gets in."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=course"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    environment = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(certificate)}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        environment[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] = str(certificate)
        environment[f"DASK_DISTRIBUTED__COMM__TLS__{role}__KEY"] = str(key)
    (tmp_path / "subs").mkdir()
    shutil.copy(course / "subs" / "student0.zip", tmp_path / "subs")
    with running(tmp_path, 1, "tls", environment) as (address, _):
        command = [sys.executable, "-m", "grading", "run", str(tmp_path / "subs"), "--rubrics", str(course / "rubrics")]
        command += ["--salt", "pepper", "--scheduler", address, "--out"]
        done = subprocess.run([*command, tmp_path / "out"], capture_output=True, text=True, env=os.environ | environment)
        assert done.returncode == 0 and "student0" in done.stdout, done.stderr
        monkeypatch.setattr(cluster, "CONNECT", 2.0)
        outside = CliRunner().invoke(app, [*command[3:], str(tmp_path / "other")])
        assert outside.exit_code == 2 and "--scheduler" in outside.output


def test_a_sandbox_that_is_required_is_required_of_every_machine(course, tmp_path):
    with running(tmp_path, 1, "tcp", {"PATH": ""}) as (address, _):  # no bwrap is found there
        with pytest.raises(SandboxError, match="expected bubblewrap"):
            Cluster(address, require_sandbox=True)
        options = Options(rubrics=course / "rubrics", salt="pepper", scheduler=address, require_sandbox=True)
        with pytest.raises(SandboxError, match="expected bubblewrap"):
            grade(course / "subs", tmp_path / "out", options)
