"""What a user selects for trials: pipelines, backends, estimators, and how many faults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from persistbench import backends
from persistbench.backends import Backend
from persistbench.cases import catalogue
from persistbench.errors import UserError, unknown

USUAL = ("small", "forest", "large_array", "custom_state")
"""The pipelines of attacks and accidents, unless a user selects others."""

FAULTS = 500
"""Flipped bits in each cell, unless a user asks for more."""

PATIENCE_SECONDS = 60.0
"""The faults of one cell may take so long: a slow cell gets fewer, and its record says so."""


@dataclass(frozen=True)
class Selection:
    """What a user selects; each kind of trial reads what concerns it.

    Attributes:
        pipelines: names.
        backends: those that save estimators.
        faults: flipped bits in each cell.
        patience: seconds that the faults of one cell may take.
        estimators: a regular expression that is searched in names of scikit-learn's estimators;
            empty for all.
    """

    pipelines: tuple[str, ...]
    backends: tuple[Backend, ...]
    faults: int = FAULTS
    patience: float = PATIENCE_SECONDS
    estimators: str = ""


def usual(
    pipelines: Sequence[str] = (),
    backend_ids: Sequence[str] = (),
    faults: int = FAULTS,
    patience: float = PATIENCE_SECONDS,
) -> Selection:
    """Return the selection for attacks and accidents.

    Args:
        pipelines: names; empty for :data:`USUAL`.
        backend_ids: empty for all, of each compressor with its usual levels, and with those that
            only trials use.
        faults: see :class:`Selection`.
        patience: see :class:`Selection`.

    Raises:
        UserError: there is no such pipeline or backend, or a number makes no sense.
    """
    if faults < 1 or not patience > 0:  # nan is no number of seconds
        raise UserError("--faults and --patience are numbers above 0.")
    savers = _savers(backend_ids, backends.for_trials())
    return Selection(
        _names(pipelines or USUAL),
        tuple(backend for backend in savers if backend_ids or not backend.variant),
        faults,
        patience,
    )


def everything(
    pipelines: Sequence[str] = (), backend_ids: Sequence[str] = (), estimators: str = ""
) -> Selection:
    """Return the selection for trials that leave nothing out.

    Args:
        pipelines: names; empty for all of the catalogue.
        backend_ids: empty for all.
        estimators: see :class:`Selection`.

    Raises:
        UserError: there is no such pipeline or backend.
    """
    savers = _savers(backend_ids, backends.discover())
    return Selection(_names(pipelines or list(catalogue.discover())), savers, estimators=estimators)


def _names(pipelines: Sequence[str]) -> tuple[str, ...]:
    return tuple(catalogue.get(name).name for name in pipelines)


def _savers(backend_ids: Sequence[str], known: Mapping[str, Backend]) -> tuple[Backend, ...]:
    """Return the backends with these ids, or all, without those that save no estimator."""
    for one in backend_ids:
        if one not in known:
            raise UserError(unknown("backend", one, list(known)))
        if known[one].claims.returns == "bytes":
            raise UserError(f"{one} saves bytes and no estimator: choose another backend to try.")
    selected = [known[one] for one in dict.fromkeys(backend_ids)] or known.values()
    return tuple(backend for backend in selected if backend.claims.returns != "bytes")
