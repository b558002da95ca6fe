"""What goes wrong with devices ends in a sentence, and the other work goes on."""

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

pytest.importorskip("distributed", reason="Dask is not installed (the extra `device`)")
from typer.testing import CliRunner

from device_farm import agents, ended, farm, kill, measurements, start
from models_by_hand import huge_onnx, linear_onnx, linear_tflite, saved, slow_onnx
from projectkit.cli import app
from projectkit.data import load
from projectkit.devices import Remote, connected, measure_on, measure_remote, parse_address, remote
from projectkit.devices.addresses import is_loopback
from projectkit.devices.agent import measure_job
from projectkit.devices.job import Job, pack, unpack
from projectkit.devices.remote import Connected, _fitting
from projectkit.devices.versions import differences, versions
from projectkit.errors import ArtifactError, DeviceError
from projectkit.types import Artifact
from waiting import wait_for

REFUSED = [
    "tcp://192.168.1.10:8786",
    "tcp://jetson:8786",
    "tcp://127.0.0.1.example.org:1",
    "ws://127.0.0.1:8786",
    "ucx://10.0.0.1:1",
]
NO_ADDRESSES = [
    "tls://jetson",
    "tls://:8786",
    "tls://jetson:port",
    "tls://jetson:1/a/b",
    "tls://ada@jetson:8786",
    "tls://jetson:1?x",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with farm(tmp_path_factory.mktemp("plain"), secure=False) as made:
        yield made


@pytest.fixture(scope="module")
def images():
    return load("digits").test.take(50)


@pytest.fixture
def lite(tmp_path):
    return Artifact.of(saved(tmp_path, "linear.tflite", linear_tflite()))


def test_a_device_that_dies_in_the_middle_is_replaced_or_missed(running, lite, images):
    """With a measurement under way: another of the label takes it over; without one, the wait has an end. Nothing of the
    measurement outlives its agent."""
    with agents(running, "first", labels=("pair",)) as (first,), ThreadPoolExecutor(2) as pool:
        answer = pool.submit(measure_on, running.device("pair"), lite, images, budget=0.05)
        wait_for(lambda: measurements(first))
        with agents(running, "second", labels=("pair",)) as (second,):
            doomed = measurements(first)  # perhaps the answer came while the second one started
            kill(first)
            profile = answer.result(timeout=120)
            assert profile.device.startswith("second: " if doomed else "first: ")
            answer = pool.submit(measure_remote, running.device("pair"), [lite], images, budget=0.05, gone=1.0)
            wait_for(lambda: measurements(second))
            doomed += measurements(second)
            second.terminate()  # asked to end, it does not finish first
            with pytest.raises(DeviceError, match="disappeared in the middle"):
                answer.result(timeout=120)
    assert doomed
    wait_for(lambda: not any(process.is_running() for process in doomed))
    wait_for(lambda: not running.left_behind())


def test_a_device_that_falls_silent_is_replaced(lite, images, tmp_path):
    """As when its network is cut: nobody closes the connection. The scheduler's worker-ttl says how long that may last."""
    with (
        farm(tmp_path / "farm", secure=False, DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="3 s") as made,
        agents(made, "first", "second") as processes,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(measure_on, made.device("bench"), lite, images, budget=2.0)
        wait_for(lambda: any(measurements(process) for process in processes))
        silent = next(index for index, process in enumerate(processes) if measurements(process))
        os.killpg(processes[silent].pid, signal.SIGSTOP)
        assert answer.result(timeout=120).device.startswith(("second: ", "first: ")[silent])


def test_a_measurement_that_ends_devices_is_given_up(lite, images, tmp_path):
    """Whatever kills one device after the other: some must be left for the others' work."""
    with (
        farm(tmp_path / "farm", secure=False, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1") as made,
        agents(made, "first", "second", "third") as processes,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(measure_on, made.device("bench"), lite, images, budget=5.0)
        for _ in range(2):
            wait_for(lambda: any(measurements(process) for process in processes))
            kill(next(process for process in processes if measurements(process)))
        with pytest.raises(DeviceError, match="2 devices disappeared one after the other"):
            answer.result(timeout=120)
        assert measure_on(made.device("bench"), lite, images, budget=0.05).values["accuracy"]


def test_models_that_take_too_much_leave_the_device_to_the_others(running, lite, images, tmp_path):
    """Too much memory, too much time, a damaged file: each a sentence, with honest work waiting behind them."""
    huge, slow, damaged = (
        Artifact.of(saved(tmp_path, name, content))
        for name, content in (
            ("huge.onnx", huge_onnx(gigabytes=30)),
            ("slow.onnx", slow_onnx()),
            ("damaged.tflite", linear_tflite()[:400]),
        )
    )
    with agents(running, "small", labels=(), memory=1e9), ThreadPoolExecutor(4) as pool:
        device = running.device("small")
        much = pool.submit(measure_on, device, huge, images, budget=0.05)
        broken = pool.submit(measure_on, device, damaged, images, budget=0.05)
        late = pool.submit(measure_on, device, slow, images, limit=4.0)
        honest = pool.submit(measure_on, device, lite, images, budget=0.05)
        with pytest.raises(DeviceError, match=r"small: the model needs more memory than the 1,000 MB"):
            much.result(timeout=120)
        with pytest.raises(ArtifactError, match=r"damaged\.tflite"):
            broken.result(timeout=120)
        with pytest.raises(DeviceError, match="took more than 4 s and was stopped"):
            late.result(timeout=120)
        assert honest.result(timeout=120).values["accuracy"].value > 0.8
    assert not running.left_behind()


def test_versions_that_differ_are_named_and_the_fitting_device_measures(running, lite, images, tmp_path):
    """The other agent finds another ONNX Runtime installed, ahead of the real one."""
    saved(tmp_path / "onnxruntime-0.0.1.dist-info", "METADATA", b"Metadata-Version: 2.1\nName: onnxruntime\nVersion: 0.0.1\n")
    other = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with agents(running, "other", labels=("mixed",), **other) as (process,), ThreadPoolExecutor(1) as pool:
        expected = rf"other: .*onnxruntime is {versions()['onnxruntime']} here, 0\.0\.1 there"
        with pytest.raises(DeviceError, match=expected):
            measure_on(running.device("mixed"), lite, images)
        assert not measurements(process)
        with agents(running, "same", labels=("mixed",)) as (same,):
            assert measure_on(running.device("mixed"), lite, images, budget=0.05).device.startswith("same: ")
            answer = pool.submit(measure_remote, running.device("mixed"), [lite], images, gone=1.0)
            wait_for(lambda: measurements(same))
            kill(same)  # the other one is still there, but it is not waited for
            with pytest.raises(DeviceError, match="disappeared in the middle"):
                answer.result(timeout=120)


def test_an_agent_itself_refuses_a_job_of_other_versions(running, lite, images):
    """One that came to it past the look of the sender, and one that did not arrive whole."""
    from distributed import Client

    job = Job((("linear.tflite", lite.sha256),), 1, 0.05, None, 60.0, versions() | {"projectkit": "99.0"})
    torn = replace(job, versions=versions(), models=(("linear.tflite", "0" * 64),))
    with agents(running, "careful", labels=()), Client(running.scheduler, set_as_default=False) as client:
        packed = [pack(one, [lite], images.x, None) for one in (job, torn)]
        answers = [json.loads(client.submit(measure_job, one, resources={"device:careful": 1}).result(60)) for one in packed]
    assert answers[0]["error"] == "DeviceError" and "projectkit is 99.0 here" in answers[0]["message"]
    assert answers[1]["error"] == "DeviceError" and "its checksum differs" in answers[1]["message"]


def test_a_file_larger_than_the_memory_is_not_even_sent(lite):
    there = Connected("tcp://127.0.0.1:1", "tiny", (), 1000, "a board", versions(), False)
    with pytest.raises(DeviceError, match="are more memory than"):
        _fitting([there], [lite])
    large = replace(there, name="large", memory=10**9)
    assert _fitting([there, large], [lite]) == [large]


@pytest.mark.parametrize("address", REFUSED)
def test_without_certificates_only_this_machine_is_spoken_to(address, lite, images):
    with pytest.raises(DeviceError, match=r"anybody could have .* run anything"):
        parse_address(address)
    with pytest.raises(DeviceError, match="Use tls:// with certificates"):
        measure_on(Remote(address), lite, images)  # made by hand, past the look at the text
    result = CliRunner().invoke(app, ["agent", "--scheduler", address, "--name", "jetson-1"])
    assert result.exit_code == 2 and "tcp:// is accepted to 127.0.0.1 alone" in result.output


def test_a_scheduler_that_listens_for_everybody_gets_no_agent(tmp_path):
    """Though the agent itself would speak to it on this machine only: others could send it work through that scheduler."""
    file = tmp_path / "scheduler.json"
    words = ["-m", "dask", "scheduler", "--host", "0.0.0.0", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
    with ended(start([sys.executable, *words, "--scheduler-file", str(file)], tmp_path, "scheduler.txt")):
        wait_for(file.exists)
        address = json.loads(file.read_text())["address"]
        if is_loopback(urlsplit(address).hostname):
            pytest.skip("this machine has no network, so that there is nobody to listen for")
        here = f"tcp://127.0.0.1:{urlsplit(address).port}"
        result = CliRunner().invoke(app, ["agent", "--scheduler", here, "--name", "jetson-1"])
        assert result.exit_code == 2 and "for everybody and without certificates" in result.output


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_said(address):
    with pytest.raises(DeviceError, match=r"no address of a scheduler; expected tls://HOST:PORT"):
        parse_address(address)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "no ca_file of TLS is named"),
        (["--tls-cert", "a.pem"], "expected all three, or none"),
        (["--tls-ca-file", "a.pem", "--tls-cert", "b.pem", "--tls-key", "c.key"], "there is no file a.pem"),
    ],
)
def test_tls_without_its_files_is_said(options, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (["agent", "--name", "jetson-1"], ["devices"]):
        result = CliRunner().invoke(app, [*words, "--scheduler", "tls://127.0.0.1:9", *options])
        assert result.exit_code == 2 and reason in result.output


def test_no_scheduler_is_said_in_a_sentence(lite, images, monkeypatch):
    monkeypatch.setattr(remote, "CONNECT", 1.0)
    with pytest.raises(DeviceError, match="no scheduler can be spoken to"):
        measure_on(Remote("tcp://127.0.0.1:9"), lite, images)


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(name):
    result = CliRunner().invoke(app, ["agent", "--scheduler", "tcp://127.0.0.1:9", "--name", name])
    assert result.exit_code == 2 and "names no device" in result.output


def test_an_agent_of_a_taken_name_is_refused(running):
    with agents(running, "twin", labels=()):
        result = CliRunner().invoke(app, ["agent", "--scheduler", running.scheduler, "--name", "twin"])
        assert result.exit_code == 2 and "no other agent is called twin" in result.output
        assert len(connected(running.device("twin"))) == 1


def test_a_job_arrives_as_it_was_packed(tmp_path, images):
    files = [saved(tmp_path, "a.tflite", linear_tflite()), saved(tmp_path, "b.onnx", linear_onnx())]
    artifacts = [Artifact.of(path) for path in files]
    models = tuple((path.name, artifact.sha256) for path, artifact in zip(files, artifacts, strict=True))
    job = Job(models, threads=2, budget=0.5, baseline=1, seconds=9.0, versions={"a": "1"})
    packed = pack(job, artifacts, images.x, images.y)
    (tmp_path / "there").mkdir()
    arrived, there, data = unpack(packed, tmp_path / "there")
    assert arrived == job and [one.sha256 for one in there] == [one.sha256 for one in artifacts]
    assert (data.x == images.x).all() and (data.y == images.y).all()
    files[0].write_bytes(b"changed")
    with pytest.raises(ArtifactError, match="has changed"):
        pack(job, artifacts, images.x, None)


def test_differences_name_both_sides():
    found = differences({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": "4"})
    assert found == ["b is 2 here, 3 there", "c is absent here, 4 there"]
