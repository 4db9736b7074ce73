"""The kinds of trial of attacks and accidents, found by discovery.

One file for each kind: every module of ``attack/`` and ``accident/`` without a leading underscore.
:mod:`persistbench.trials.base` says what the file defines.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from functools import cache
from types import ModuleType

from persistbench.errors import UserError
from persistbench.trials import accident, attack
from persistbench.trials.base import Kind


@cache
def discover() -> dict[str, type[Kind]]:
    """Return every kind of trial by its name; attacks come first.

    Raises:
        UserError: a file cannot be imported, does not define one kind, or two kinds have one name.
    """
    result: dict[str, type[Kind]] = {}
    for folder in (attack, accident):
        kinds = [_defined(folder, name) for name in _names(folder)]
        for kind in sorted(kinds, key=lambda one: one.name):
            if kind.name in result:
                raise UserError(
                    f"{_file(kind)} and {_file(result[kind.name])} both define the kind of trial "
                    f"{kind.name!r}: rename one of them."
                )
            result[kind.name] = kind
    return result


def chosen(names: Sequence[str]) -> list[type[Kind]]:
    """Return the kinds with these names, attacks first; empty for all.

    Raises:
        UserError: there is no such kind.
    """
    known = discover()
    for one in names:
        if one not in known:
            raise UserError(f"There is no kind of trial {one!r}: choose from {', '.join(known)}.")
    return [kind for name, kind in known.items() if not names or name in names]


def _names(folder: ModuleType) -> list[str]:
    """Return the modules of a folder that should define a kind."""
    modules = pkgutil.iter_modules(folder.__path__)
    return [one.name for one in modules if not one.name.startswith("_") and not one.ispkg]


def _defined(folder: ModuleType, name: str) -> type[Kind]:
    """Return the kind that a module of a folder defines."""
    file = f"{folder.__name__.replace('.', '/')}/{name}.py"
    try:
        module = importlib.import_module(f"{folder.__name__}.{name}")
    except Exception as error:
        raise UserError(f"{file} cannot be imported: {error!r}.") from error
    kinds = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Kind) and one.__module__ == module.__name__
    ]
    if len(kinds) != 1:
        raise UserError(
            f"{file} defines {len(kinds)} kinds of trial: define one class derived from "
            "persistbench.trials.base.Kind (or start the file's name with an underscore if it "
            "holds none)."
        )
    (kind,) = kinds
    if inspect.isabstract(kind):
        raise UserError(f"{file} does not define {', '.join(sorted(kind.__abstractmethods__))}().")
    if lacking := [word for word in ("name", "version") if not hasattr(kind, word)]:
        raise UserError(f"{file} gives its kind of trial no {' and no '.join(lacking)}.")
    return kind


def _file(kind: type[Kind]) -> str:
    return f"{kind.__module__.replace('.', '/')}.py"
