"""Processes of this machine, or of a Dask cluster, that do work and end when they should."""

import asyncio
import contextlib
import logging
import os
import platform
import queue
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

from persistbench import backends
from persistbench.errors import UserError
from persistbench.records import libraries

Work = Callable[[], Any]
"""It is sent to another process."""

SCHEDULER_SECONDS = 4.0
"""So long a scheduler has to answer, and a first worker of it to be there."""

SILENCE_SECONDS = 1800.0
"""A cluster from which nothing has come for so long is given up."""

LIBRARIES = ("numpy", "scipy", "scikit-learn")
"""What decides outcomes, beside what a backend requires."""


@contextmanager
def started(scheduler: str | None) -> Iterator[Callable[[Sequence[Work]], Iterator[Any]]]:
    """Give what does pieces of work at once and yields what they return as it comes.

    Args:
        scheduler: address of a Dask cluster; None for the cores of this machine.

    Raises:
        UserError: the scheduler does not answer; or processes or the cluster have gone.
    """
    import joblib

    with contextlib.ExitStack() as stack:
        client = None
        if scheduler is not None:
            logging.disable(logging.CRITICAL)  # Dask logs tracebacks; here a sentence says it
            stack.callback(logging.disable, logging.NOTSET)
            client = stack.enter_context(_client(scheduler))
            stack.enter_context(joblib.parallel_config(backend=_dask_backend(client)))
        # joblib warns when it is stopped before all has come, which is what Ctrl-C is for.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_quiet_stop())
        # One task in each message: its result comes at once. All are handed out: workers
        # that join a cluster later find some.
        run_all = joblib.Parallel(
            n_jobs=-1, batch_size=1, pre_dispatch="all", return_as="generator_unordered"
        )

        if client is None:
            _start()

        def parallel(pieces: Sequence[Work]) -> Iterator[Any]:
            result = run_all(joblib.delayed(_done_for)(os.getpid(), work) for work in pieces)
            return result if client is None else _watched(result, client, str(scheduler))

        try:
            yield parallel
        except BrokenExecutor as error:
            raise UserError(
                "A process was killed from outside, perhaps for want of memory: what was done is "
                "kept, and the same command makes the rest."
            ) from error


@contextmanager
def _quiet_stop() -> Iterator[None]:
    """Let loky's thread say nothing of work that joblib withdraws while it is handed out.

    That is what Ctrl-C does; the thread then misses it (KeyError), and is ended all the same.
    """
    usual = threading.excepthook

    def tell(failure: threading.ExceptHookArgs) -> None:
        name = failure.thread.name if failure.thread else ""
        if not (name == "ExecutorManagerThread" and failure.exc_type is KeyError):
            usual(failure)

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = usual


def _dask_backend(client: Any) -> Any:
    """Return joblib's Dask backend, which sends tasks to a cluster of one thread, too."""
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            # A single job joblib would run in this process.
            return max(2, int(super().effective_n_jobs(n_jobs)))

    return Backend(client=client)


def _start() -> None:
    """Start joblib's processes so that they ignore Ctrl-C: it is this one's, which ends them."""
    import joblib

    if threading.current_thread() is not threading.main_thread():
        return  # signals are the main thread's
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        joblib.Parallel(n_jobs=-1)(joblib.delayed(os.getpid)() for _ in range(joblib.cpu_count()))
    finally:
        signal.signal(signal.SIGINT, before)


def _done_for(parent: int, work: Work) -> Any:
    """Do work in a process that ends when the one that wants it done is killed."""
    if os.getppid() == parent:
        _end_with(parent)
    return work()


@cache
def _end_with(parent: int) -> None:
    """End this process soon after its parent, and with it the children of its fork server."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _client(scheduler: str) -> Any:
    """Return a client of a Dask cluster that can make our trials.

    Raises:
        UserError: it does not answer, has no workers, or other libraries than this process.
    """
    try:
        from distributed import Client
        from distributed.comm import connect
    except ModuleNotFoundError as error:
        raise UserError('A scheduler needs Dask: `pip install "persistbench[cluster]"`.') from error
    try:
        # Not by a Client: one that has failed once says so again when it is collected.
        asyncio.run(asyncio.wait_for(connect(scheduler), SCHEDULER_SECONDS)).abort()
        client = Client(scheduler, timeout=SCHEDULER_SECONDS, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The scheduler {scheduler!r} does not answer: start one with `dask scheduler` and "
            "give its address, or leave --scheduler."
        ) from error
    try:
        client.wait_for_workers(1, timeout=SCHEDULER_SECONDS - 1)
        there = client.run(environment)
    except TimeoutError as error:
        client.close()
        raise UserError(
            f"The scheduler {scheduler} has no workers: start some with `dask worker {scheduler}`."
        ) from error
    except Exception as error:
        client.close()
        raise UserError(
            f"The workers of {scheduler} cannot run trials ({error}): install persistbench there."
        ) from error
    others = sorted(address for address, result in there.items() if result != environment())
    if others:
        client.close()
        raise UserError(
            f"The worker {others[0]} has other versions of Python or libraries than this process: "
            "install the same there, or run persistbench there."
        )
    return client


def _watched(results: Iterator[Any], client: Any, scheduler: str) -> Iterator[Any]:
    """Yield what comes, and look in between whether the cluster is still there.

    joblib itself would wait for ever: nothing tells it of tasks that Dask gives up.
    """
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def take() -> None:
        try:
            for one in results:
                arrived.put(one)
            arrived.put(None)
        except BaseException as error:
            arrived.put(error)

    threading.Thread(target=take, daemon=True).start()
    last = time.monotonic()
    while True:
        try:
            one = arrived.get(timeout=0.5)
        except queue.Empty:
            if client.status == "running" and time.monotonic() - last < SILENCE_SECONDS:
                continue
            one = TimeoutError()
        if one is None:
            return
        if isinstance(one, TimeoutError) or type(one).__module__.startswith("distributed"):
            raise UserError(
                f"The cluster of {scheduler} has gone or is stuck: what was done is kept, and the "
                "same command makes the rest."
            ) from one
        if isinstance(one, BaseException):
            raise one
        last = time.monotonic()
        yield one


def environment() -> dict[str, str]:
    """Return the versions of Python and of every library that some backend requires."""
    needed = {name for backend in backends.discover().values() for name in backend.requires}
    return {"python": platform.python_version(), **libraries.versions({*LIBRARIES, *needed})}
