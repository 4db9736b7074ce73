"""What the sections Attack and Accident share: records by place, and the words for them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from persistbench import backends
from persistbench.outcomes import Outcome
from persistbench.report import heat, trials
from persistbench.report.figures import Table

Record = dict[str, Any]
Places = list[tuple[int, list[Record]]]
"""Indices of places, each with its records; only those that have some."""


def tried(table: Table, kinds: Sequence[str]) -> dict[str, Places]:
    """Return the records of each kind that has some, without backends that are not installed."""
    found = {}
    for kind in kinds:
        places = [(index, _installed(own)) for index, own in table.tried(kind)]
        if places := [(index, own) for index, own in places if own]:
            found[kind] = places
    return found


def _installed(found: Iterable[Record]) -> list[Record]:
    return [record for record in found if record["outcome"] != Outcome.NOT_INSTALLED]


def untried(table: Table, kinds: Iterable[str]) -> list[int]:
    """Return the indices of the places without a record of any of these kinds."""
    lacking = [set(table.untried(kind)) for kind in kinds]
    return sorted(set.intersection(*lacking))


def versions(found: Mapping[str, Places]) -> list[tuple[int, str]]:
    """Return with what everything was tried, by place."""
    records: dict[int, list[Record]] = {}
    for places in found.values():
        for index, own in places:
            records.setdefault(index, []).extend(own)
    return [(index, trials.versions(own)) for index, own in sorted(records.items())]


def by_design(backend: str) -> bool:
    """Return whether a backend can run any code when it is used as documented.

    What is not known is taken for one that can.
    """
    known = backends.for_trials().get(backend)
    return known is None or known.claims.executes_code or known.only_for_trials


def told(record: Mapping[str, Any]) -> str:
    """Return outcome and reason of a record, or of a verdict within one."""
    return f"{record['outcome']}: {record['reason']}".rstrip(": ")


def drawn(
    name: str,
    places: Places | None,
    tell: Callable[[Record], tuple[str, str]],
    looks: Mapping[str, heat.Look],
    alt_text: str,
    **how: Any,
) -> Markup | None:
    """Return a heat map, or None where nothing was tried."""
    return heat.interactive(name, places, tell, looks, alt_text, **how) if places else None


def listed(found: Iterable[Record], order: Sequence[str]) -> tuple[str, ...]:
    """Return subjects in an order; those that it does not know come last."""
    names = {record["subject"] for record in found}
    return (*(name for name in order if name in names), *sorted(names - set(order)))
