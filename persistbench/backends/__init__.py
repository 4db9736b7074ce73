"""The backends, found by discovery: every file of this folder without a leading underscore."""

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from types import ModuleType

from persistbench.backends._base import Backend, Claims, Inspect
from persistbench.errors import UserError, unknown

__all__ = [
    "FLOOR",
    "REFERENCE",
    "Backend",
    "Claims",
    "Inspect",
    "discover",
    "for_trials",
    "get",
    "sources",
]

REFERENCE = "pickle-5"
"""What every backend is called in turn with."""

FLOOR = "raw"
"""The backend that has no format: what it takes, nobody can beat."""

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def discover() -> dict[str, Backend]:
    """Return every backend by its id, in the order of the files, installed or not.

    What is there for trials only is left out: no figure is made of it.

    Raises:
        UserError: a file cannot be imported, yields no backend, or claims an id that
            is not well formed or already taken.
    """
    return {id: backend for id, backend in for_trials().items() if not backend.only_for_trials}


@cache
def for_trials() -> dict[str, Backend]:
    """Return every backend that trials ask about: also what nobody should use.

    Raises:
        UserError: as :func:`discover`.
    """
    result: dict[str, Backend] = {}
    origin: dict[str, str] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        if name.startswith("_"):
            continue
        file = f"persistbench/backends/{name}.py"
        try:
            module = importlib.import_module(f"{__name__}.{name}")
        except Exception as error:
            raise UserError(f"{file} cannot be imported: {error!r}.") from error
        for backend in _declared(module, file):
            if not _ID.fullmatch(backend.id):
                raise UserError(
                    f"{file} has a backend with the id {backend.id!r}: "
                    "use lower-case letters and digits, joined by hyphens."
                )
            if backend.id in result:
                raise UserError(
                    f"{origin[backend.id]} and {file} both claim the backend id "
                    f"{backend.id!r}: rename one of them."
                )
            result[backend.id] = backend
            origin[backend.id] = file
    return result


def get(backend_id: str) -> Backend:
    """Return the backend with this id.

    Raises:
        UserError: there is none; the sentence names the closest ids.
    """
    known = discover()
    if backend_id not in known:
        raise UserError(unknown("backend", backend_id, list(known)))
    return known[backend_id]


def sources(backend: Backend) -> list[bytes]:
    """Return the source files that decide what a backend does."""
    classes = type(backend).__mro__[:-1]  # without object
    files = {Path(inspect.getfile(part)) for part in classes}
    files |= set(Path(__path__[0]).glob("_*.py"))
    return [file.read_bytes() for file in sorted(files)]


def _declared(module: ModuleType, file: str) -> tuple[Backend, ...]:
    declared = tuple(getattr(module, "BACKENDS", ()))
    if not declared or not all(isinstance(backend, Backend) for backend in declared):
        raise UserError(
            f"{file} yields no backend: define BACKENDS, a tuple of Backend instances "
            "(or start the file's name with an underscore if it holds none)."
        )
    return declared
