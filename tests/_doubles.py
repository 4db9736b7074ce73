"""Backends that do one thing wrong, known to children because these are forked from the test."""

import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from persistbench import backends, sandbox
from persistbench.backends import Backend, Claims

linux = pytest.mark.skipif(sys.platform != "linux", reason="children are forked from the test")


@dataclass(frozen=True)
class Double(Backend):
    """pickle by its contract; derived doubles break it."""

    @property
    def id(self) -> str:
        return type(self).__name__.lower()

    def dump(self, payload: Any, path: str) -> None:
        with open(path, "wb") as file:
            pickle.dump(payload, file, protocol=5)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        with open(path, "rb") as file:
            return pickle.load(file)


@dataclass(frozen=True)
class Faulty(Double):
    """Is called by what it does wrong; derived doubles do it."""

    fault: str

    @property
    def id(self) -> str:
        return self.fault


class Missing(Double):
    """A backend whose library nobody has."""

    requires = ("no-such-library",)


class Careful(Double):
    """Touches the path when all is ready."""

    def dump(self, payload: Any, path: str) -> None:
        Path(path).write_bytes(pickle.dumps(payload, protocol=5))


class Remover(Double):
    """Removes what lies there before it knows that it can save."""

    def dump(self, payload: Any, path: str) -> None:
        Path(path).unlink(missing_ok=True)
        super().dump(payload, f"{path}.part")
        Path(f"{path}.part").replace(path)


class Patcher(Double):
    """Saves what it can save: of a member that it cannot save, nothing, and other weights."""

    def dump(self, payload: Any, path: str) -> None:
        try:
            super().dump(payload, path)
        except TypeError:
            payload.steps[-1] = ("last", "passthrough")
            payload.steps[0][1].components_ += 1.0
            super().dump(payload, path)


class Deadly(Double):
    """What it has saved kills whoever loads it."""

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


class Predictor(Double):
    """Gives back what answers and is no estimator."""

    @property
    def claims(self) -> Claims:
        return replace(super().claims, returns="predictor")


@contextmanager
def known(monkeypatch: pytest.MonkeyPatch, *doubles: Backend) -> Iterator[None]:
    """Let these be all backends there are, here and in children."""
    result = {one.id: one for one in doubles}
    for one in doubles:
        if not one.missing:
            one.import_modules(shared=True)  # once here, not in every child
    monkeypatch.setattr(backends, "for_trials", lambda: result)
    with sandbox.forking():
        yield
