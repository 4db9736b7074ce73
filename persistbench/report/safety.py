"""What the sections Attack and Accident share: records by platform, and the words for them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from markupsafe import Markup

from persistbench.outcomes import Outcome
from persistbench.records import trial
from persistbench.records.about import Backend
from persistbench.records.figures import Table
from persistbench.report import heat

Record = dict[str, Any]
ByPlatform = list[tuple[int, list[Record]]]
"""Indices of platforms, each with its records; only those that have some."""


def tried(table: Table, kinds: Sequence[str]) -> dict[str, ByPlatform]:
    """Return the records of each kind that has some, without backends that are not installed."""
    result = {}
    for kind in kinds:
        platforms = [(index, _installed(own)) for index, own in table.tried(kind)]
        if platforms := [(index, own) for index, own in platforms if own]:
            result[kind] = platforms
    return result


def _installed(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record["outcome"] != Outcome.NOT_INSTALLED]


def untried(table: Table, kinds: Iterable[str]) -> list[int]:
    """Return the indices of the platforms without a record of any of these kinds."""
    lacking = [set(table.untried(kind)) for kind in kinds]
    return sorted(set.intersection(*lacking))


def versions(trials: Mapping[str, ByPlatform]) -> list[tuple[int, str]]:
    """Return with what everything was tried, by platform."""
    records: dict[int, list[Record]] = {}
    for platforms in trials.values():
        for index, own in platforms:
            records.setdefault(index, []).extend(own)
    return [(index, trial.versions(own)) for index, own in sorted(records.items())]


def by_design(known: Backend | None) -> bool:
    """Return whether a backend can run any code when it is used as documented.

    Args:
        known: what the backend said of itself; of what is not known the answer is yes.
    """
    return known is None or known.executes_code or known.only_for_trials


def message(record: Mapping[str, Any]) -> str:
    """Return outcome and reason of a record, or of a verdict within one."""
    return f"{record['outcome']}: {record['reason']}".rstrip(": ")


def drawn(
    name: str,
    platforms: ByPlatform | None,
    tell: Callable[[Record], tuple[str, str]],
    styles: Mapping[str, heat.Style],
    alt_text: str,
    **how: Any,
) -> Markup | None:
    """Return a heat map, or None where nothing was tried."""
    return heat.interactive(name, platforms, tell, styles, alt_text, **how) if platforms else None


class Column(NamedTuple):
    """What is counted of one kind of trial.

    Attributes:
        heading: what is bad.
        kind: of the records.
        counted: returns of a record how many are bad, and of how many.
    """

    heading: str
    kind: str
    counted: Callable[[Record], tuple[int, int]]


@dataclass
class Cell:
    """What is bad with one backend: so many, of so many; and how the trials ended."""

    bad: int = 0
    of: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


Matrix = tuple[int, list[str], dict[str, dict[str, Cell]], dict[str, list[str]]]
"""Index of a platform, headings, cells by backend and heading, and who shares a name."""


def matrix(trials: Mapping[str, ByPlatform], columns: Sequence[Column]) -> list[Matrix]:
    """Return backends by trials: what is bad is counted, and nothing is added up.

    Args:
        trials: records by kind.
        columns: in their order; those without records are left out.
    """
    cells: dict[int, dict[str, dict[str, Cell]]] = defaultdict(lambda: defaultdict(dict))
    for column in columns:
        for index, records in trials.get(column.kind, []):
            for record in records:
                bad, of = column.counted(record)
                own = cells[index][record["backend"]].setdefault(column.heading, Cell())
                own.bad += bad
                own.of += of
                if of:
                    own.outcomes += Counter(record.get("counts") or [record["outcome"]])
    shown: list[Matrix] = []
    for index, rows in sorted(cells.items()):
        names = trial.named(
            {b: {h: (c.bad, c.of) for h, c in own.items()} for b, own in rows.items()}
        )
        used = {heading for own in rows.values() for heading, cell in own.items() if cell.of}
        headings = [column.heading for column in columns if column.heading in used]
        kept = {names[backend]: own for backend, own in sorted(rows.items())}
        shown.append((index, headings, kept, trial.members(names)))
    return shown
