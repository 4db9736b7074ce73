"""Says of every section when, and by which commit of the suite, what it shows was measured."""

from functools import reduce
from types import ModuleType

from persistbench.records.figures import Origin, Table

Line = tuple[int, str]
"""The index of a platform, and a sentence."""

EVERYTHING = ("",)
"""What the names of all questions begin with."""


def lines(section: ModuleType, table: Table) -> list[Line]:
    """Return a sentence for each platform of which a section shows something.

    Args:
        section: may say in ``SHOWS`` what the names of its questions begin with (without it,
            it shows all), and in ``TRIALS`` which trials it shows.
        table: what is shown.
    """
    trials: tuple[str, ...] = getattr(section, "TRIALS", ())
    usual = () if trials else EVERYTHING
    questions: tuple[str, ...] = getattr(section, "SHOWS", usual)
    tried = {trial: dict(table.tried(trial)) for trial in trials}
    result = []
    for index in range(len(table.platforms)):
        parts = []
        if measured := table.measured(index, questions):
            parts.append(f"Measured {measured}.")
        records = [record for own in tried.values() for record in own.get(index, ())]
        if records:
            known = (Origin.of(record["date"][:10], record.get("commit", "")) for record in records)
            parts.append(f"Tried {reduce(Origin.joined, known)}.")
        if parts:
            result.append((index, " ".join(parts)))
    return result


def notices(table: Table) -> list[Line]:
    """Return what a reader must know of a platform that is not the reader's own."""
    return [
        (
            index,
            f"These are reference results, of another machine ({platform.machine}): "
            "make bench measures yours.",
        )
        for index, platform in enumerate(table.platforms)
        if platform.reference
    ]
