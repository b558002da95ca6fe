"""Measurements on agents with certificates: the same results as here, one at a time on a device, none lost."""

import os
import re
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

pytest.importorskip("distributed", reason="Dask is not installed (the extra `device`)")
from device_farm import COMMAND, agents, farm, make_certificates, measurements, tls_of, tls_options
from models_by_hand import custom_onnx, linear_onnx, linear_tflite, saved
from projectkit import devices
from projectkit.data import load
from projectkit.devices import KNOWN, Here, Remote, compare_on, connected, measure_on
from projectkit.devices.versions import versions
from projectkit.errors import ArtifactError, DeviceError, MeasureError
from projectkit.metrics import DEVICE_METRICS, PROFILE_METRICS
from projectkit.types import Artifact, Profile, Split
from waiting import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="certificates are made with openssl, which is not installed")
ALL = {*PROFILE_METRICS, *DEVICE_METRICS, "power_mode"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with farm(tmp_path_factory.mktemp("farm")) as made, agents(made, "one", "two") as processes:
        yield made, processes


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    contents = {"linear.tflite": linear_tflite(), "linear.onnx": linear_onnx(), "unknown.onnx": custom_onnx()}
    return {name: Artifact.of(saved(folder, name, content)) for name, content in contents.items()}


def test_three_kinds_of_devices_give_results_of_one_shape(running, files):
    made, _ = running
    test = load("digits").test
    artifact, against = files["linear.onnx"], files["linear.tflite"]
    places = {"here": Here(), "remote": made.device("bench"), "estimated": KNOWN["raspberry-pi-5"]}
    found = {name: measure_on(place, artifact, test, budget=0.05, baseline=against) for name, place in places.items()}
    for profile in found.values():
        assert isinstance(profile, Profile) and profile.artifact == artifact
        assert profile.values.keys() | profile.missing.keys() >= ALL and not profile.values.keys() & profile.missing.keys()
        assert all(name == value.metric for name, value in profile.values.items())
    here, remote, estimated = (found[name].values for name in places)
    exact = ("accuracy", "size", "parameters", "macs", "sparsity")
    assert [remote[name] for name in exact] == [here[name] for name in exact]
    assert remote.keys() == here.keys() >= {"latency_p50", "latency_ratio", "peak_memory"}
    assert re.match(r"(one|two): ", found["remote"].device) and "estimate" in found["estimated"].device
    assert {name for name in estimated if "latency" in name or "memory" in name} == {
        "latency_estimate",
        "memory_estimate",
        "memory_fits_estimate",
    }
    assert not [name for name in remote if "estimate" in name]
    assert not made.left_behind()


def test_inputs_without_labels_have_no_accuracy(running, files):
    made, _ = running
    (profile,) = compare_on(made.device(), [files["linear.tflite"]], load("digits").test.x[:20], budget=0.05)
    assert "labels" in profile.missing["accuracy"] and "latency_p50" in profile.values


def test_ten_measurements_queue_for_two_devices(running, files):
    """Each device runs one at a time, both work, and each measurement comes to its own end."""
    made, processes = running
    test = load("digits").test.take(50)
    wanted = ["linear.tflite", "unknown.onnx", "unknown.onnx", "linear.onnx", "unknown.onnx"] * 2
    most, over = [0, 0], threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            for index, process in enumerate(processes):
                most[index] = max(most[index], len(measurements(process)))

    def one(name: str) -> str:
        try:
            profile = measure_on(made.device("bench"), files[name], test, budget=0.05)
        except ArtifactError as error:
            return str(error)
        return f"{profile.artifact.path} {profile.device}"

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(10) as pool:
        running_now = pool.map(one, wanted)
        wait_for(lambda: all(agent.busy for agent in connected(made.device("bench"))))
        answers = list(running_now)
    over.set()
    watcher.join()
    assert most == [1, 1]
    for name, answer in zip(wanted, answers, strict=True):
        assert (files[name].path in answer) if name != "unknown.onnx" else ("unknown.onnx: ONNX Runtime cannot" in answer)
    assert {answer.split()[1] for answer in answers if "unknown" not in answer} == {"one:", "two:"}
    assert not made.left_behind()


def test_what_measuring_there_refuses_is_refused_here_with_the_same_words(running, files):
    made, _ = running
    test = load("digits").test
    with pytest.raises(MeasureError, match="one output per class"):
        measure_on(made.device("one"), files["linear.onnx"], Split(test.x, test.y + 5))


def test_the_command_line_measures_there_and_lists_who_is_there(running, files):
    made, _ = running
    options = tls_options(made.tls("ada"))

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"} | environment, check=False
        )

    listed = run("devices", "--scheduler", made.scheduler, *options)
    assert listed.returncode == 0, listed.stderr
    assert re.search(r"one\s.*bench.*2 GB.*is free", listed.stdout) and "raspberry-pi-4" in listed.stdout
    words = ("measure", files["linear.tflite"].path, "--device", f"{made.scheduler}/two", "--budget", "0.05", "--examples", "30")
    tls, prefix = made.tls("ada"), "DASK_DISTRIBUTED__COMM__TLS__"
    configured = {f"{prefix}CA_FILE": tls.ca_file, f"{prefix}CLIENT__CERT": tls.cert, f"{prefix}CLIENT__KEY": tls.key}
    done = run(*words, **configured)  # the files that Dask's own configuration names
    assert done.returncode == 0 and "two: " in done.stdout and "Latency p50" in done.stdout, done.stderr


def test_the_lines_for_certificates_are_the_same_wherever_they_stand():
    readme = (Path(__file__).parents[2] / "labs" / "README.md").read_text("utf-8")
    lines = [line.strip() for line in devices.__doc__.splitlines() if line.strip().startswith("openssl")]
    assert len(lines) == 3 and all(line in readme for line in lines)


def test_agents_say_who_they_are(running):
    made, _ = running
    assert [agent.name for agent in connected(made.device("bench"))] == ["one", "two"]
    (one,) = connected(made.device("one"))
    assert one.labels == ("bench",) and one.memory == 2e9 and one.versions == versions() and not one.busy
    assert connected(made.device("absent")) == []


def test_a_label_that_nobody_has_is_said(running, files):
    made, _ = running
    with pytest.raises(DeviceError, match=r"no agent called absent is connected.*projectkit agent --scheduler"):
        measure_on(made.device("absent"), files["linear.tflite"], load("digits").test)


def test_a_certificate_of_another_authority_gets_nowhere(running, files, tmp_path):
    """Neither to the scheduler nor to an agent itself, and nothing is run."""
    from distributed import Client

    made, processes = running
    make_certificates(tmp_path, ["mallory"])
    before = {process.pid: psutil.Process(process.pid).children(recursive=True) for process in processes}
    stranger = Remote(made.scheduler, "bench", tls_of(tmp_path, "mallory"))
    with pytest.raises(DeviceError, match="signed by the same authority"):
        measure_on(stranger, files["linear.tflite"], load("digits").test)
    (one,) = connected(made.device("one"))
    from projectkit.devices.tls import security

    for address, secured in ((one.address, security(one.address, stranger.tls, "client")), (f"tcp{one.address[3:]}", None)):
        with pytest.raises(OSError):
            Client(address, timeout=1, security=secured, set_as_default=False)
    assert {process.pid: psutil.Process(process.pid).children(recursive=True) for process in processes} == before


def test_an_agent_with_a_certificate_of_another_authority_is_not_taken(running, tmp_path):
    made, _ = running
    make_certificates(tmp_path, ["mallory"])
    code = (
        "import sys\nfrom projectkit.devices import Tls\nfrom projectkit.devices.agent import Agent, run_agent\n"
        "run_agent(sys.argv[1], Agent('mallory', ('bench',), 10**9), tls=Tls(*sys.argv[2:]), patience=2.0)"
    )
    tls = tls_of(tmp_path, "mallory")
    words = [COMMAND[0], "-c", code, made.scheduler, tls.ca_file, tls.cert, tls.key]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "no scheduler took this agent" in done.stderr
    assert [agent.name for agent in connected(made.device())] == ["one", "two"]


def test_an_agent_ends_when_it_is_told_to(running):
    made, _ = running
    with agents(made, "short", labels=()) as (process,):
        process.terminate()
        wait_for(lambda: process.poll() is not None)
        assert process.returncode == 0 and "short has ended" in (made.folder / "short.txt").read_text()
        wait_for(lambda: not connected(made.device("short")))
