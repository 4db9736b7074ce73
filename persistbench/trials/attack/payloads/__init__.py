"""Shapes of payloads: ways to hide code in an artifact, found by discovery.

One file for each, or for a few that belong together: every module of this folder without a
leading underscore. It defines ``SHAPES``, a tuple of :class:`Shape`; nothing else is edited. All
that a payload ever does is to touch :data:`MARKER` in the folder of the process that runs it.
"""

import importlib
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from persistbench import files
from persistbench.backends import Backend
from persistbench.errors import UserError

MARKER = "touched"
"""A relative path: whoever runs the payload touches a file of its own folder."""


def everywhere(backend: Backend) -> bool:
    """Whatever it saves with, whoever has a class or a function to hide can try."""
    return True


def has_list(backend: Backend) -> bool:
    """Whether the backend opens only what a list of names admits, to which users add theirs."""
    return backend.trusting(("any.name",)) != backend


@dataclass(frozen=True)
class Shape:
    """A way to hide code.

    Attributes:
        name: the subject of its trials, for ever.
        craft: writes the artifact of a backend to a path, or raises why that cannot be done.
        fits: whether it can be crafted for a backend at all.
        modules: source by name of modules that the victim has, and the attacker knows of.
        admits: names that a reader's list holds beside those of the pipelines: what follows is
            then the doing of the list, not of the library.
        key: changes with the file that defines it and with what files share; set by discovery.
    """

    name: str
    craft: Callable[[Backend, str], None]
    fits: Callable[[Backend], bool] = everywhere
    modules: tuple[tuple[str, str], ...] = ()
    admits: tuple[str, ...] = ()
    key: str = ""

    def settle(self, folder: Path) -> None:
        """Put its modules into a folder from which this process can import them."""
        for name, source in self.modules:
            (folder / f"{name}.py").write_text(source, encoding="utf-8")
        if self.modules:
            sys.path.insert(0, str(folder))
            importlib.invalidate_caches()


def rows() -> Any:
    """Return what the estimators here are fitted on and asked about."""
    import numpy as np

    return np.random.default_rng(0).standard_normal((20, 3))


def carrier(payload: Any) -> Any:
    """Return a fitted estimator that works, and holds the payload where nobody looks."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(rows())
    scaler.note_ = payload
    return scaler


@dataclass(frozen=True)
class Saved:
    """A craft: an estimator is saved by the backend's own dump.

    Attributes:
        make: returns the estimator; it may import what the shape's modules define.
    """

    make: Callable[[], Any]

    def __call__(self, backend: Backend, path: str) -> None:
        """Save it."""
        backend.dump(backend.payload(self.make(), rows()), path)


@cache
def discover() -> dict[str, Shape]:
    """Return every shape by its name.

    Raises:
        UserError: a file cannot be imported or yields no shape, or two files define shapes of one
            name.
    """
    result: dict[str, Shape] = {}
    origin: dict[str, str] = {}
    shared = [one.read_bytes() for one in sorted(Path(__file__).parent.glob("_*.py"))]
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        if name.startswith("_"):
            continue
        file = f"{__name__.replace('.', '/')}/{name}.py"
        try:
            module = importlib.import_module(f"{__name__}.{name}")
        except Exception as error:
            raise UserError(f"{file} cannot be imported: {error!r}.") from error
        key = files.digest(*shared, Path(str(module.__file__)).read_bytes())
        for shape in _declared(module, file):
            if shape.name in result:
                raise UserError(
                    f"{origin[shape.name]} and {file} both define the shape {shape.name!r}: "
                    "rename one of them."
                )
            result[shape.name] = replace(shape, key=key)
            origin[shape.name] = file
    return result


def _declared(module: ModuleType, file: str) -> tuple[Shape, ...]:
    """Return the shapes that a module defines."""
    declared = getattr(module, "SHAPES", ())
    shapes = declared if isinstance(declared, tuple) else ()
    if not shapes or not all(isinstance(shape, Shape) for shape in shapes):
        raise UserError(
            f"{file} yields no shape: define SHAPES, a tuple of Shape instances "
            "(or start the file's name with an underscore if it holds none)."
        )
    return shapes
