"""Where the bytes of an artifact go: each step is saved and loaded by itself.

An artifact may hold a pipeline, a dict of a model and its columns, or any other object. What is
loaded may crash, hang or take all memory, so the command loads it in a child of the sandbox.
"""

import datetime
import os
import pickle
import re
import statistics
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from persistbench import sandbox
from persistbench.backends import Backend
from persistbench.cases.building import limits
from persistbench.errors import UserError
from persistbench.measure import artifact
from persistbench.measure.artifact import printable
from persistbench.outcomes import Outcome, Verdict, explain
from persistbench.records.steps import Step
from persistbench.sandbox import child

LOADS = 5
"""The number of loads of each step; their median counts."""

LOADING_SECONDS = 10.0
"""After so much time a step is not loaded once more."""

SECONDS = 120.0
"""For the load of an artifact, for each step, and for all steps together."""

ROWS = 100
"""So many steps of an artifact are shown: a dict may hold a model for each customer."""

ATTRIBUTES = 1_000
"""Of an object with more attributes or items, none is measured by itself."""

NAMED = 3
"""So many shared steps and unpickled attributes are named in a row."""

WIDTH = 100
"""A name has at most so many characters."""


_INCOMPLETE = re.compile(
    "^EOFError|: EOF: |pickle data was truncated|exhausted before|requires a buffer"
)
"""What the backends say of a file that ends too early, and of no file of another backend."""

_EXITED = re.compile(r"exit status \d")
"""What the sandbox says of a child that no signal has ended."""

now = time.monotonic


@dataclass(frozen=True)
class _Loaded:
    """What a child says of an artifact before it measures the steps.

    Attributes:
        steps: the names of the steps that are measured.
        whole: whether there are no further steps.
        warning: what the load warned of; empty if it did not.
        closed: names of steps whose deeper levels are not shown.
    """

    steps: list[str]
    whole: bool
    warning: str
    closed: list[str]


def of_artifact(
    path: Path,
    backend: Backend,
    names: tuple[str, ...],
    trusted: bool,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[int, list[Step]]:
    """Return the size of an artifact in bytes, and the costs of its steps.

    Args:
        path: of the artifact.
        backend: the backend that saved the artifact.
        names: names that a backend may load beside its own list.
        trusted: whether the user lets the file run code.
        say: takes a sentence on each limit that was met, and on a warning of the load.

    Raises:
        UserError: the file cannot be read, the user does not trust it, it cannot be loaded, or its
            process crashed or met a limit.
    """
    if backend.missing:
        raise UserError(backend.unavailable + ".")
    if backend.claims.returns != "estimator":
        raise UserError(f"{backend.id} gives back a {backend.claims.returns}, which has no steps.")
    if names and type(backend).trusting is Backend.trusting:
        raise UserError(f"{backend.id} has no list of names: leave out --trust.")
    artifact.check(path)
    shown = printable(str(path))
    if backend.claims.executes_code and not trusted:
        raise UserError(
            f"Loading {shown} with {backend.id} may run any code that its maker has put into it: "
            "say --trusted if you know where it comes from."
        )
    trusting = backend.trusting(names)
    steps: list[Step] = []
    loaded: _Loaded | None = None
    work = sandbox.answers(_work, trusting, str(path.resolve()), ROWS, limits=limits(SECONDS))
    try:
        loaded = _of_load(next(work, None), shown, backend)
        deadline = now() + SECONDS
        for facts in work:
            steps.append(msgspec.convert(facts, Step))
            if now() > deadline and len(steps) < len(loaded.steps):
                left = len(loaded.steps) - len(steps)
                say(
                    f"After {SECONDS:g} s, {left} steps are not measured: the advice is on the "
                    "others."
                )
                break
    except (sandbox.DeadError, msgspec.ValidationError) as death:
        if loaded is None or len(steps) < len(loaded.steps):
            doing = f"measured {loaded.steps[len(steps)]} of" if loaded else "loaded"
            todo = "check the backend, the versions of the libraries and the memory"
            if _EXITED.search(str(death)):
                todo = "the file has ended its own process: do not trust it"
            raise UserError(
                f"The process that {doing} {shown} with {backend.id} gave no answer: "
                f"{printable(str(death))}; {todo}."
            ) from death
    finally:
        work.close()
    if not loaded.whole:
        say(f"There are more steps: the table and the advice are on the first {ROWS}.")
    if loaded.closed:
        say(
            f"The deeper levels of {', '.join(loaded.closed)} are not shown: save them as files of "
            "their own to see their steps."
        )
    if loaded.warning:
        say(f"The load warned: {loaded.warning}")
    return path.stat().st_size, steps


def _of_load(answer: Any, shown: str, backend: Backend) -> _Loaded:
    """Return what a child says of a load.

    Raises:
        UserError: the load failed.
    """
    if isinstance(answer, _Loaded):
        return answer
    if not isinstance(answer, Verdict):
        raise UserError(f"{shown} has said nothing in its load: do not trust this file.")
    todo = "name the backend that saved the file with --backend"
    if answer.by_design:
        todo = "admit a name that you have reviewed with --trust"
    elif "(limit: " in answer.reason:
        todo = "load it on a machine with more memory"
    elif _INCOMPLETE.search(answer.reason):
        todo = "the file is incomplete: save or copy it again"
    reason = printable(answer.reason).rstrip(".")
    raise UserError(f"{shown} cannot be loaded with {backend.id}: {reason}; {todo}.")


def _work(backend: Backend, path: str, rows: int) -> Iterator[Any]:
    """Yield a failure to load; or what was loaded, and then each step; in a child process."""
    child.hush()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            loaded = backend.load(path)
        except Exception as error:
            verdict = child.of_exception(Outcome.ERROR_AT_LOAD, error)
            yield Verdict(verdict.outcome, verdict.reason, by_design=backend.refuses(error))
            return
    warning = printable(explain(caught[0].message)) if caught else ""  # type: ignore[arg-type]
    parts = list(islice(_parts(loaded), rows + 1))
    closed = [part.name for part in parts[:rows] if not part.first and _is_closed(part.value)]
    names = [part.name for part in parts[:rows]]
    yield _Loaded(names, len(parts) <= rows, warning, closed[:NAMED])
    for step in _costs(parts[:rows], backend, None):
        yield msgspec.structs.asdict(step)


def costs(held: Any, backend: Backend, rows: Any = None) -> list[Step]:
    """Return the costs of each step, in the order of the pipeline.

    The items of a dict, a list or a tuple are steps. An estimator that is no pipeline is one step,
    and so is any other object. An object that is a step twice is measured once.

    Args:
        held: a fitted estimator, or what else an artifact holds.
        backend: saves and loads each step by itself.
        rows: held-out rows, for backends that must know the types of the columns.
    """
    return list(_costs(list(_parts(held)), backend, rows))


@dataclass(frozen=True)
class _Part:
    """A step, or an object that holds steps.

    Attributes:
        name: of the step.
        value: the object.
        first: the name of an earlier step that is the same object; empty if there is none.
        holders: the name of each step, and of each object around steps, by the object's id.
    """

    name: str
    value: Any
    first: str
    holders: dict[int, str]


def _parts(held: Any) -> Iterator[_Part]:
    """Yield the steps in an object, in order; an object that was met before is not entered."""
    holders: dict[int, str] = {}
    met: list[Any] = []  # alive during the walk: an id stays that of one object
    waiting: list[Iterator[tuple[str, Any, int]]] = [iter([("", held, 2)])]
    while waiting:
        name, value, levels = next(waiting[-1], (None, None, 0))
        if name is None:
            waiting.pop()
            continue
        own_name = name or _text(type(value).__name__.lower())
        first = holders.get(id(value), "")
        below = None if first else _below(name, value, levels)
        if not first and not _is_plain(value):
            holders[id(value)] = own_name
            met.append(value)
        if below is None:
            yield _Part(own_name, value, first, holders)
        else:
            waiting.append(below)


def _below(name: str, value: Any, levels: int) -> Iterator[tuple[str, Any, int]] | None:
    """Return name, object and levels of each step in an object; None if the object is a step.

    Args:
        name: of the object.
        value: the object.
        levels: so many levels of dicts and lists may still be entered; the last one only if it
            holds an estimator.
    """
    prefix = f"{name}." if name else ""
    if isinstance(value, dict | list | tuple):
        if not value or not levels or (levels == 1 and not _holds_estimator(value)):
            return None
        return ((_short(prefix + key), part, levels - 1) for key, part in _items(value))
    try:
        steps = value.steps
    except Exception:
        return None
    if not isinstance(steps, list) or not steps or not all(map(_is_named, steps)):
        return None
    return ((_short(prefix + _text(key)), part, 0) for key, part in steps)


def _is_named(step: Any) -> bool:
    return isinstance(step, list | tuple) and len(step) == 2 and isinstance(step[0], str)


def _holds_estimator(value: Any) -> bool:
    return any(_is_estimator(part) for _, part in _items(value))


def _is_closed(value: Any) -> bool:
    """Return whether a step is a dict, list or tuple with an estimator or a dict deeper in it.

    Only so many items are looked at: there may be a million numbers.
    """
    met: dict[int, Any] = {}
    waiting = [value]
    while waiting and len(met) < ATTRIBUTES:
        holder = waiting.pop()
        if not isinstance(holder, dict | list | tuple) or id(holder) in met:
            continue
        met[id(holder)] = holder
        for _, part in islice(_items(holder), ATTRIBUTES):
            if _is_estimator(part) or (isinstance(part, dict) and part):
                return True
            waiting.append(part)
    return False


def _is_estimator(value: Any) -> bool:
    kind = type(value)
    return hasattr(kind, "fit") or hasattr(kind, "predict")


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the items of a dict, a list or a tuple, with keys and indices as texts."""
    if isinstance(value, dict):
        return ((_text(key), part) for key, part in dict.items(value))
    of = list if isinstance(value, list) else tuple
    return ((str(index), part) for index, part in enumerate(of.__iter__(value)))


def _text(key: Any) -> str:
    """Return a key as a text that can be printed."""
    try:
        text = key if type(key) is str else repr(key)
    except Exception:
        text = type(key).__name__
    return printable(_short(text))


def _short(text: str) -> str:
    """Return a text without its middle if it is long."""
    return text if len(text) <= WIDTH else f"{text[: WIDTH // 2]}...{text[-WIDTH // 2 :]}"


def _costs(parts: list[_Part], backend: Backend, rows: Any) -> Iterator[Step]:
    sizes = _Sizes(parts[0].holders if parts else {})
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "step"))
        for part in parts:
            kind = _text(type(part.value).__name__)
            if part.first:
                yield Step(part.name, kind, None, None, "", 0, (part.first,))
                continue
            size, seconds = _alone(part.value, backend, rows, path)
            largest, largest_bytes, unpickled = sizes.largest(part)
            shared = tuple(islice(sizes.shared, NAMED))
            yield Step(part.name, kind, size, seconds, largest, largest_bytes, shared, unpickled)


def _alone(part: Any, backend: Backend, rows: Any, path: str) -> tuple[int | None, float | None]:
    """Return the bytes of a step that is saved alone, and the seconds of a load of them."""
    size = None
    try:
        backend.dump(backend.payload(part, rows), path)
        size = os.stat(path).st_size  # noqa: PTH116 (a path as text, as backends take it)
        seconds: list[float] = []
        while len(seconds) < LOADS and sum(seconds) < LOADING_SECONDS:
            seconds.append(_load_seconds(backend, path))
    except Exception:  # it cannot be saved, or not be loaded, apart
        return size, None
    return size, statistics.median(seconds)


def _load_seconds(backend: Backend, path: str) -> float:
    start = time.perf_counter()
    backend.load(path)
    return time.perf_counter() - start


class _Counter:
    """A file that keeps the number of bytes, and no bytes."""

    count = 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.count += size
        return size


class _Sizes(pickle.Pickler):
    """Measures attributes by one pickler: its memo lets a shared part count once."""

    def __init__(self, holders: dict[int, str]) -> None:
        """Take the names of steps, and of objects around them, by the id of the object.

        A reference to such an object counts as a few bytes: it is counted where it is a step.
        """
        self.file = _Counter()
        super().__init__(self.file, protocol=5)
        self.holders = holders
        self.step = ""
        self.shared: dict[str, None] = {}  # in the order in which they are met
        self.counted: dict[int, tuple[str, int]] = {}  # step and place in `met`, by the object's id
        self.met: list[Any] = []  # alive: an id stays that of one object
        self.before = 0  # so many of them are no longer in the memo

    def largest(self, part: _Part) -> tuple[str, int, tuple[str, ...]]:
        """Return the largest attribute of a step, its bytes, and what cannot be pickled."""
        self.step, self.shared = part.name, {}
        largest, largest_bytes, unpickled = "", 0, []
        attributes = _attributes(part.value)
        if len(attributes) > ATTRIBUTES:
            self._bytes(
                [value for _, value in attributes]
            )  # what is shared counts once all the same
            return "", 0, ()
        for name, value in attributes:
            size = self._bytes(value)
            if size is None:
                unpickled.append(name)
            elif size > largest_bytes:
                largest, largest_bytes = name, size
        return largest, largest_bytes, tuple(unpickled[:NAMED])

    def _bytes(self, value: Any) -> int | None:
        """Return what an object adds to what was counted; None if pickle cannot save it."""
        before, start = self.file.count, len(self.met)
        try:
            self.dump(value)
        except Exception:
            self._forget(start)
            return None
        return self.file.count - before

    def _forget(self, start: int) -> None:
        """Forget what a dump has met that failed: other attributes may hold it, too.

        A pickler forgets all or nothing. What was counted before is cut off from now on.
        """
        for value in self.met[start:]:
            del self.counted[id(value)]
        del self.met[start:]
        self.clear_memo()
        self.before = start

    def persistent_id(self, value: Any) -> Any:
        """Note where an object is counted; pickle calls this for each object that it meets."""
        if _is_plain(value):
            return None
        holder = self.holders.get(id(value))
        if holder is None:
            holder, place = self.counted.setdefault(id(value), (self.step, len(self.met)))
            cut = place < self.before
            if place == len(self.met):
                self.met.append(value)
        else:
            cut = True
        if holder != self.step:
            self.shared[holder] = None
        return 0 if cut else None


def _attributes(value: Any) -> list[tuple[str, Any]]:
    """Return the attributes of an object, or the items of a dict, a list or a tuple."""
    if isinstance(value, dict | list | tuple):
        return list(_items(value))
    result = []
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            with suppress(Exception):  # the slot may be empty
                result.append((_text(name), object.__getattribute__(value, name)))
    with suppress(Exception):
        result += _items(vars(value))
    return result


_PLAIN = (
    type(None),
    bool,
    int,
    float,
    complex,
    range,
    slice,
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    np.generic,
    np.dtype,
    np.ufunc,
    re.Pattern,
    datetime.tzinfo,
    Enum,
)
"""What many objects hold without a word for it: constants, defaults and names."""

_SHORT = 100
"""Shorter texts are often the same object by chance."""

_FEW = 10
"""So are tuples of so many constants, such as defaults of arguments."""


def _is_plain(value: Any) -> bool:
    """Return whether nobody says of two objects that they share this value."""
    if isinstance(value, tuple):
        return len(value) <= _FEW and all(map(_is_constant, value))
    return _is_constant(value) or (type(value) in (list, dict, set, frozenset) and not value)


def _is_constant(value: Any) -> bool:
    if isinstance(value, str | bytes):
        return len(value) < _SHORT
    return isinstance(value, _PLAIN)
