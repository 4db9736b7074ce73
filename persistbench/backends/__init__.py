"""The backends: every file of this folder without a leading underscore holds some.

A backend's file needs only this door: ``from persistbench.backends import Backend, Claims``.
"""

import importlib
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from types import ModuleType

from persistbench.backends._base import Backend, Claims, Inspect, checked, no_name
from persistbench.errors import UserError, unknown
from persistbench.records.questions import FLOOR, REFERENCE

__all__ = [
    "FLOOR",
    "REFERENCE",
    "Backend",
    "Claims",
    "Inspect",
    "checked",
    "discover",
    "for_trials",
    "get",
    "no_name",
    "sources",
]

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def discover() -> dict[str, Backend]:
    """Return every backend by its id, in the order of the files, installed or not.

    Backends for trials only are left out: they have no figures.

    Raises:
        UserError: a file cannot be imported or yields no backend, or its id is not well formed
            or belongs to another backend.
    """
    return {id: backend for id, backend in for_trials().items() if not backend.only_for_trials}


@cache
def for_trials() -> dict[str, Backend]:
    """Return every backend that trials use, also backends that nobody else should use.

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
        UserError: there is no such backend; the sentence names the closest ids.
    """
    known = discover()
    if backend_id not in known:
        raise UserError(unknown("backend", backend_id, list(known)))
    return known[backend_id]


def sources(backend: Backend) -> list[bytes]:
    """Return the contents of the source files that decide what a backend does."""
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
