"""Sends measurements to agents through a Dask scheduler, and waits for their answers no longer than there is hope for one."""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from projectkit.devices.addresses import parse_address
from projectkit.devices.agent import ABOUT, measure_job, resource, versions_differ
from projectkit.devices.job import Job, pack, read_answer
from projectkit.devices.tls import security
from projectkit.devices.types import Remote
from projectkit.devices.versions import differences, versions
from projectkit.errors import DeviceError
from projectkit.types import Artifact, Profile, Split

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT = 10.0  # seconds
LOOK = 1.0  # seconds between two looks at whether there still is a device
GONE = 30.0  # seconds without any device of the label after which a measurement is given up
LIMIT = 600.0  # seconds of one measurement on the device


@dataclass(frozen=True, slots=True)
class Connected:
    """An agent that a scheduler knows, as it described itself."""

    address: str
    name: str
    labels: tuple[str, ...]
    memory: int
    device: str
    versions: dict[str, str]
    busy: bool


def connected(device: Remote) -> list[Connected]:
    """The agents that answer to `device` now, by name. Raises DeviceError when the scheduler cannot be reached."""
    with _client(device) as client:
        return _agents(client, device.label)


def measure_remote(
    device: Remote,
    artifacts: Sequence[Artifact],
    data: Split | np.ndarray,
    *,
    threads: int = 1,
    budget: float = 1.0,
    baseline: Artifact | None = None,
    limit: float = LIMIT,
    gone: float = GONE,
) -> list[Profile]:
    """Profiles of `artifacts` as an agent of `device` measured them, all on one device in one loop.

    Waits while devices of the label are busy; each does one job at a time. When a device disappears in the middle, the job goes
    to another of the same label (Dask gives up after the fourth that it took along). One whose network is cut is noticed by the
    scheduler after five minutes (Dask's worker-ttl), any other at once. limit: seconds of a measurement on the device; gone:
    seconds without any such device until this gives up. Raises DeviceError when no device is there or none is left, when versions
    differ, when a model needs more memory than the device has or takes too long; what `measure.compare` raises there.
    """
    if not artifacts:
        return []
    sent = [*artifacts, baseline] if baseline else list(artifacts)
    job = Job(
        models=tuple((artifact.path.replace("\\", "/").rpartition("/")[2], artifact.sha256) for artifact in sent),
        threads=threads,
        budget=budget,
        baseline=len(artifacts) if baseline else None,
        seconds=limit,
        versions=versions(),
    )
    x, y = (data.x, data.y) if isinstance(data, Split) else (data, None)
    packed = pack(job, sent, x, y)
    with _client(device) as client:
        agents = _agents(client, device.label)
        if not agents:
            called = f" called {device.label}" if device.label else ""
            raise DeviceError(
                f"{device}: no agent{called} is connected there. Start one on the device: "
                f"projectkit agent --scheduler {device.scheduler} --name {device.label or 'NAME'}"
            )
        fitting = _fitting(agents, sent)
        only = None if len(fitting) == len(agents) else [agent.address for agent in fitting]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Dask warns of large arguments; a model is one
            future = client.submit(measure_job, packed, resources={resource(device.label): 1}, workers=only, pure=False)
        text = _wait(client, future, device, only, gone)
    return read_answer(text, artifacts)


def _fitting(agents: Sequence[Connected], sent: Sequence[Artifact]) -> list[Connected]:
    """The agents that can measure this. Raises DeviceError, before anything is sent, when there are some but none of them can."""
    largest, here, reasons = max(sent, key=lambda artifact: artifact.size), versions(), {}
    for agent in agents:
        if found := differences(here, agent.versions):
            reasons[agent.name] = versions_differ(agent.name, found)
        elif largest.size > agent.memory:
            reasons[agent.name] = DeviceError(
                f"{largest.path}: its {largest.size / 1e6:,.1f} MB are more memory than the {agent.memory / 1e6:,.1f} MB that "
                f"{agent.name} gives a measurement. Make it smaller, or start the agent with a larger --memory."
            )
    if len(reasons) == len(agents):
        raise next(iter(reasons.values()))
    return [agent for agent in agents if agent.name not in reasons]


def _wait(client: "Client", future: "Future[str]", device: Remote, only: Sequence[str] | None, gone: float) -> str:
    """The answer, or DeviceError when nobody is left who could give it. only: the addresses that it was sent to, None: to all."""
    from distributed import CancelledError, KilledWorker

    seen = time.monotonic()
    while True:
        try:
            return future.result(timeout=LOOK)
        except TimeoutError:
            pass
        except KilledWorker as error:
            raise DeviceError(
                f"{device}: {error.allowed_failures + 1} devices disappeared one after the other while they measured this. Look "
                "at them before you send it again."
            ) from error
        except (CancelledError, OSError) as error:
            raise _lost(device, error) from error
        if _still_there(client, device, only):
            seen = time.monotonic()
        elif time.monotonic() - seen > gone:
            future.cancel()
            raise DeviceError(
                f"{device}: the device disappeared in the middle, and for {gone:.0f} s no other took its place. Start its agent "
                "again and send the measurement once more."
            )


def _still_there(client: "Client", device: Remote, only: Sequence[str] | None) -> bool:
    try:
        return client.status == "running" and any(
            only is None or agent.address in only for agent in _agents(client, device.label)
        )
    except (OSError, TimeoutError):
        return False


def _agents(client: "Client", label: str) -> list[Connected]:
    """What the agents of `label` say of themselves; the scheduler has it from their registration, nothing is run for it."""
    found, processing = [], client.processing()
    for address, worker in client.scheduler_info(n_workers=-1)["workers"].items():
        about = worker.get(ABOUT)
        if about is not None and resource(label) in worker["resources"]:
            fields = about | {"labels": tuple(about["labels"])}
            found.append(Connected(address, **fields, busy=bool(processing.get(address))))
    return sorted(found, key=lambda agent: agent.name)


@contextmanager
def _client(device: Remote) -> Iterator["Client"]:
    parse_address(device.scheduler, device.tls)  # a Remote may have been made by hand
    secured = security(device.scheduler, device.tls, "client")
    from distributed import Client

    try:
        client = Client(device.scheduler, timeout=CONNECT, security=secured, set_as_default=False)
    except (OSError, ValueError, TypeError, TimeoutError) as error:
        raise _lost(device, error) from error
    with client:
        yield client


def _lost(device: Remote, error: Exception) -> DeviceError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return DeviceError(
        f"{device.scheduler}: no scheduler can be spoken to there ({reason}). See that it runs, that the address is right, and "
        "that your certificate and its own are signed by the same authority."
    )
