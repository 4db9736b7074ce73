"""What can go wrong with an artifact: attack and accident, tried rather than told.

One file for each kind of trial, found by discovery: every module of this folder without a leading
underscore. It defines

- ``KIND``, its name in records, such as ``bit-flip``;
- ``GROUP``, ``attack`` or ``accident``, which are kept apart;
- ``VERSION``, of what is tried: raised with every change that can change an outcome;
- ``tasks(selection)``, which returns what is to be tried, as tasks of a campaign.

Whatever opens a crafted or damaged artifact runs in the sandbox, and says so by calling
:func:`persistbench.sandbox.child.required` first.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol, cast

from persistbench import backends
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.errors import UserError
from persistbench.trials import accident, attack, campaign
from persistbench.trials.campaign import Task

ATTACK, ACCIDENT = "attack", "accident"

TELLING = ("small", "forest", "large_array", "custom_state")
"""The pipelines that are tried unless others are asked for."""

FAULTS = 500
"""Flipped bits in each cell, unless more are asked for."""

PATIENCE_SECONDS = 60.0
"""So long the faults of one cell may take: a slow cell gets fewer, and its record says so."""


@dataclass(frozen=True)
class Selection:
    """What is asked for.

    Attributes:
        pipelines: names.
        backends: those that save estimators, also those that only trials use.
        faults: flipped bits in each cell.
        patience: seconds that the faults of one cell may take.
    """

    pipelines: tuple[str, ...]
    backends: tuple[Backend, ...]
    faults: int = FAULTS
    patience: float = PATIENCE_SECONDS


class Kind(Protocol):
    """What a module of this folder defines."""

    KIND: str
    GROUP: Literal["attack", "accident"]
    VERSION: int

    def tasks(self, selection: Selection) -> list[Task]:
        """Return what is to be tried."""


def selection(
    pipelines: Sequence[str] = (),
    backend_ids: Sequence[str] = (),
    faults: int = FAULTS,
    patience: float = PATIENCE_SECONDS,
) -> Selection:
    """Return what is asked for.

    Args:
        pipelines: names; empty for :data:`TELLING`.
        backend_ids: empty for all, of each compressor with its usual levels.
        faults: see :class:`Wanted`, as for what follows.
        patience: likewise.

    Raises:
        UserError: there is no such pipeline or backend, or a number makes no sense.
    """
    if faults < 1 or patience <= 0:
        raise UserError("--faults and --patience are numbers above 0.")
    names = tuple(catalogue.get(name).name for name in pipelines or TELLING)
    result = campaign.chosen(backend_ids, backends.for_trials())
    savers = tuple(backend for backend in result if backend_ids or not backend.variant)
    return Selection(names, savers, faults, patience)


@cache
def discover() -> dict[str, Kind]:
    """Return every kind of trial by its name; attacks come first."""
    modules = [
        cast(Kind, importlib.import_module(f"{room.__name__}.{module.name}"))
        for room in (attack, accident)
        for module in pkgutil.iter_modules(room.__path__)
        if not module.name.startswith("_") and not module.ispkg
    ]
    ordered = sorted(modules, key=lambda one: (one.GROUP != ATTACK, one.KIND))
    return {one.KIND: one for one in ordered}


def chosen(kinds: Sequence[str]) -> list[Kind]:
    """Return the kinds with these names; empty for all.

    Raises:
        UserError: there is no such kind.
    """
    known = discover()
    for one in kinds:
        if one not in known:
            raise UserError(f"There is no kind of trial {one!r}: choose from {', '.join(known)}.")
    return [known[one] for one in dict.fromkeys(kinds or known)]
