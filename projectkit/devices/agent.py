"""What runs on an edge device: a Dask worker that measures one job at a time, each in a process of its own.

Whoever holds a certificate that the authority has signed can run any code on this machine, with the rights of the agent's user:
that is how Dask works, and no sandbox stands in between. So an agent is for devices of a course and for people that the course
trusts with them; give it a user of its own, certificates of its own, and no network that it does not need. It is not for grading:
submissions are measured by `grading`, in its sandbox. Without certificates nothing gets in: every connection, to the scheduler
and to the agent itself, is refused unless both sides show one. tcp:// is for trying things out on one machine: whoever has an
account on it can do there what a certificate allows elsewhere.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from projectkit.devices.addresses import parse_address
from projectkit.devices.child import ANSWER, LENGTH_BYTES, too_little_memory
from projectkit.devices.job import failure, read_job
from projectkit.devices.tls import security
from projectkit.devices.types import Tls
from projectkit.devices.versions import differences, versions
from projectkit.errors import ArtifactError, DeviceError, ProjectkitError

if TYPE_CHECKING:
    from distributed import Security, Worker

ANY = "device"  # the resource that every agent has
ABOUT = "projectkit"  # what an agent tells the scheduler of itself, under this name
CONNECT = 30.0  # seconds to find the scheduler


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent's name, the further labels that it answers to, and the bytes that a measurement may take."""

    name: str
    labels: tuple[str, ...]
    memory: int


def resource(label: str) -> str:
    """The name of Dask's resource for an agent's name or label; for "" that of any agent."""
    return f"{ANY}:{label}" if label else ANY


def run_agent(
    scheduler: str, agent: Agent, *, tls: Tls | None = None, patience: float = CONNECT, say: Callable[[str], None] = print
) -> None:
    """Serves the scheduler at `scheduler` until it closes or this process is told to end (SIGINT, SIGTERM). `say` gets a sentence
    at the start and at the end. patience: seconds to find the scheduler.

    Raises DeviceError for an address that is not tls:// (or this machine's own), certificates that are refused, a scheduler that
    does not answer, or a name that cannot be one.
    """
    address = parse_address(scheduler, tls)
    if address.label:
        raise DeviceError(f"{scheduler}: a scheduler's address ends with its port. Give the name by --name {address.label}.")
    for label in (agent.name, *agent.labels):
        if not label or not label.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise DeviceError(f"{label!r} names no device; expected letters, digits, '-', '_' and '.'. Give --name jetson-1.")
    asyncio.run(_serve(address.scheduler, agent, security(address.scheduler, tls, "worker"), patience, say))


async def _serve(scheduler: str, agent: Agent, secured: "Security | None", patience: float, say: Callable[[str], None]) -> None:
    from distributed import Worker

    if secured is None:
        await _refuse_open(scheduler, patience)
    about = _about(agent)
    labels = dict.fromkeys(("", agent.name, *agent.labels))
    with tempfile.TemporaryDirectory(prefix="projectkit-agent-") as folder:
        worker = Worker(
            scheduler,
            name=agent.name,
            nthreads=1,
            resources={resource(label): 1 for label in labels},
            memory_limit=0,  # Dask would pause a worker whose machine is busy; a measurement has a limit of its own
            local_directory=folder,
            security=secured,
            host=None if secured else "127.0.0.1",  # without TLS, Dask would listen for everybody
            dashboard_address="127.0.0.1:0",
            death_timeout=patience,
            silence_logs=50,
            startup_information={ABOUT: lambda _: about},
        )
        vars(worker)["agent"] = agent  # a job is a plain function that Dask calls: it finds its agent there
        with _ended_by_signals(worker):
            try:
                await worker
            except Exception as error:  # Dask's own kinds of failing to connect, by its version
                raise DeviceError(
                    f"{scheduler}: no scheduler took this agent within {patience:.0f} s ({_reason(error)}). See that it "
                    f"runs, that the address is right, that no other agent is called {agent.name}, and that one authority has "
                    "signed the certificates of both."
                ) from error
            say(f"{agent.name} serves {scheduler} ({about['device']}; {agent.memory / 1e6:,.0f} MB for a measurement).")
            await worker.finished()
    say(f"{agent.name} has ended.")


async def _refuse_open(scheduler: str, patience: float) -> None:
    """Refuses a scheduler without TLS that others than this machine can reach: through it they could have the agent run anything.
    What a scheduler calls its own address is where it listens, or the machine's own where it listens everywhere."""
    from distributed.core import rpc

    try:
        async with rpc(scheduler, timeout=patience) as there:
            address = (await there.identity(n_workers=0))["address"]
    except (OSError, TimeoutError) as error:
        raise DeviceError(f"{scheduler}: no scheduler answers there ({_reason(error)}). See that it runs.") from error
    try:
        parse_address(address)
    except DeviceError as error:
        raise DeviceError(
            f"{scheduler}: this scheduler listens at {address}, for everybody and without certificates. Start it with "
            "--host 127.0.0.1, or with TLS."
        ) from error


def measure_job(packed: bytes) -> str:
    """What Dask calls on the device: runs the job in a process of its own; the answer as JSON, whatever happens."""
    from distributed import get_worker

    agent: Agent = vars(get_worker())["agent"]
    try:
        job = read_job(packed)
        if found := differences(job.versions, versions()):
            raise versions_differ(agent.name, found)
        return _in_a_child(packed, agent, job.seconds)
    except ProjectkitError as error:
        return json.dumps(failure(error))
    except Exception as error:
        return json.dumps(failure(DeviceError(f"{agent.name}: the device failed at it ({type(error).__name__}: {error}).")))


def versions_differ(name: str, found: list[str]) -> DeviceError:
    return DeviceError(
        f"{name}: its versions are not those of this side: {'; '.join(found)}. Install the same ones on both, for example from "
        "requirements.lock."
    )


def _in_a_child(packed: bytes, agent: Agent, seconds: float) -> str:
    folder = Path(tempfile.mkdtemp(prefix="projectkit-job-"))
    try:
        with (folder / "printed").open("wb") as printed:
            process = Fed(
                [sys.executable, "-m", "projectkit.devices.child", str(folder), agent.name, str(agent.memory)],
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        try:
            with contextlib.suppress(BrokenPipeError):  # it died; its exit code says more
                process.stdin.write(len(packed).to_bytes(LENGTH_BYTES, "little") + packed)
                process.stdin.flush()
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"{agent.name}: the measurement took more than {seconds:.0f} s and was stopped. Send fewer examples, a smaller "
                "--budget or a smaller model."
            ) from error
        finally:
            _stop(process)
        if (folder / ANSWER).exists():
            return (folder / ANSWER).read_text(encoding="utf-8")
        raise _died(code, agent, (folder / "printed").read_text(errors="replace"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Fed(subprocess.Popen[bytes]):
    """A process that was started with a pipe for its input."""

    stdin: IO[bytes]


def _stop(process: Fed) -> None:
    with contextlib.suppress(OSError, AttributeError):  # gone already, or Windows
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    with contextlib.suppress(OSError):
        process.stdin.close()


def _died(code: int, agent: Agent, printed: str) -> ProjectkitError:
    """Why a child without an answer ended: out of memory in a library, killed by the system, or crashed by the model."""
    if "MemoryError" in printed or "bad_alloc" in printed:
        return too_little_memory(agent.name, agent.memory)
    if code == -signal.SIGKILL:
        return DeviceError(
            f"{agent.name}: the system killed the measurement, most likely because the model needs more memory than the device "
            "has left. Make it smaller (int8, smaller inputs, fewer examples), or end other programs there."
        )
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return ArtifactError(f"{agent.name}: the runtime died of the model ({how}). It may be damaged; export it again.")


def _about(agent: Agent) -> dict[str, object]:
    from projectkit import measure

    return {
        "name": agent.name,
        "labels": list(agent.labels),
        "memory": agent.memory,
        "device": measure.device(),
        "versions": versions(),
    }


@contextlib.contextmanager
def _ended_by_signals(worker: "Worker") -> Iterator[None]:
    """SIGINT and SIGTERM close the worker, so that the scheduler knows at once."""
    loop, ends = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    with contextlib.suppress(NotImplementedError):  # Windows
        for each in ends:
            loop.add_signal_handler(each, lambda: loop.create_task(worker.close(executor_wait=False)))
    try:
        yield
    finally:
        with contextlib.suppress(NotImplementedError):
            for each in ends:
                loop.remove_signal_handler(each)


def _reason(error: Exception) -> str:
    """The last cause that Dask names, in a line."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
