"""Measures on a Dask cluster instead of on this machine: the same jobs, run by the sandboxed workers of its machines.

Each process of the cluster keeps one warm worker. The hidden inputs are sent once; labels, salt and names stay here, and so does
whoever asks the questions of an attack: questions and answers go over the scheduler, one after the other. With a tls:// address,
certificates come from Dask's own configuration (distributed.comm.tls).
"""

import functools
import threading
import uuid
from typing import TYPE_CHECKING

from grading import DISTRIBUTION
from grading.errors import SandboxError
from grading.workers import sandbox
from grading.workers.pool import Inputs, Job, JobResult, Questioner, Workers
from projectkit.install_hint import install_hint

if TYPE_CHECKING:
    from distributed import Future

CONNECT = 10.0  # seconds
SILENCE = 120.0  # seconds without a question after which a machine gives the job up
ATTEMPTS = 3  # a job whose machine disappears is given to another this often


class Cluster:
    """Runs jobs on the Dask cluster at `address`. A context manager; `count` jobs are under way at a time.

    Raises SandboxError when Dask is not installed, no scheduler with workers answers at the address, or a machine of the cluster
    has no sandbox although `require_sandbox`.
    """

    def __init__(self, address: str, require_sandbox: bool = False):
        try:
            from distributed import Client
        except ImportError as error:
            raise SandboxError(
                f"--scheduler {address}: needs Dask, which is not installed: {install_hint('cluster', DISTRIBUTION)}"
            ) from error
        try:
            self._client = Client(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise SandboxError(
                f"--scheduler {address}: no Dask scheduler answers there ({error or type(error).__name__}). "
                "Start one (dask scheduler, dask worker), or leave --scheduler out."
            ) from error
        # Two jobs for each process: one is on its way while the other runs.
        self.count = 2 * len(self._client.scheduler_info(n_workers=-1)["workers"])
        if not self.count:
            self._client.close()
            raise SandboxError(f"--scheduler {address}: the cluster has no workers. Start some: dask worker {address}")
        self._require = require_sandbox
        if require_sandbox:
            try:
                self._client.run(sandbox.require)  # on every machine
            except SandboxError:
                self._client.close()
                raise
        self._sent: dict[str, object] = {}
        self._lock = threading.Lock()

    def run(self, job: Job, inputs: Inputs, questioner: Questioner | None = None) -> JobResult:
        """Runs the job on a machine of the cluster; `talk` asks its questions from here. Raises SandboxError when none can."""
        with self._lock:
            if inputs.digest not in self._sent:
                self._sent[inputs.digest] = self._client.scatter(inputs, broadcast=True, hash=False)
        name = uuid.uuid4().hex if questioner else ""
        future = self._client.submit(
            measure_here, job, self._sent[inputs.digest], self._require, name, pure=False, retries=ATTEMPTS
        )
        try:
            if questioner:
                self._ask(future, name, questioner)
            return future.result()
        except SandboxError:
            raise
        except Exception as error:  # whatever became of the machine or the connection
            raise SandboxError(f"--scheduler: a job was lost ({type(error).__name__}: {str(error)[:200]}).") from error

    def _ask(self, future: "Future[JobResult]", name: str, questioner: Questioner) -> None:
        """Passes answers and questions between the job and `talk` until the job has ended.

        A job that is begun anew on another machine gets its questions through another queue: the one before may still have
        somebody who waits at its end and is dead.
        """
        from distributed import Queue

        answers, questions = Queue(name, client=self._client), dict[str, Queue]()
        future.add_done_callback(lambda _: answers.put(None))
        while message := answers.get():
            sender, answer = message
            if answer is None:
                questions = {sender: Queue(sender, client=self._client)}
                questioner.begin()
            elif sender in questions:
                questions[sender].put(questioner.reply(answer))

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


def measure_here(job: Job, inputs: Inputs, require_sandbox: bool, name: str) -> JobResult:
    """Runs the job with this process's own warm worker; what a process of the cluster executes. A machine that joined later
    has to have a sandbox as well, where one is required. `name`: of the queue for answers to questions, if there are any."""
    if require_sandbox:
        sandbox.require()
    return _workers().run(job, inputs, _Far(name) if name else None)


class _Far:
    """Who asks the questions, as seen from a machine of the cluster: at the other end of two queues."""

    def __init__(self, name: str):
        from distributed import Queue, get_client

        self._answers = Queue(name, client=get_client())

    def begin(self) -> None:
        from distributed import Queue, get_client

        self._number = uuid.uuid4().hex
        self._questions = Queue(self._number, client=get_client())
        self._answers.put([self._number, None])

    def reply(self, answer: bytes) -> bytes:
        self._answers.put([self._number, answer])
        return self._questions.get(timeout=SILENCE)


@functools.cache
def _workers() -> Workers:
    return Workers(1)
