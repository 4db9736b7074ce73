"""On which platforms something was measured or tried, as far as results and records tell."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from persistbench.records.asv_file import ResultFile
from persistbench.records.figures import Platform
from persistbench.records.libraries import INSTRUMENTS, NOT_RECORDED
from persistbench.records.outcome import Record


class Source(NamedTuple):
    """One result file of asv, the records beside it, and when its benchmarks were started.

    The times are milliseconds since 1970.
    """

    result: ResultFile
    records: list[Record]
    times: list[int]


def measured(machine: str, environment: str, sources: Iterable[Source]) -> Platform:
    """Return what is known of a platform on which something was measured.

    Args:
        machine: asv's name of the machine.
        environment: asv's name of the environment.
        sources: the files that figures come from; at least one.
    """
    ordered = sorted(sources, key=lambda source: max(source.times, default=0))
    return Platform(machine, environment, _facts(ordered), _requirements(ordered))


def tried(machine: str, trials: Mapping[str, Iterable[Mapping[str, Any]]]) -> Platform:
    """Return what is known of a machine where something was tried and nothing was measured.

    Args:
        machine: asv's name of the machine.
        trials: records by trial; at least one.
    """
    records = sorted((r for own in trials.values() for r in own), key=lambda r: str(r["date"]))
    versions: dict[str, str] = {}
    for record in records:
        versions |= record["libraries"]
    facts = {
        "system": records[-1]["os"],
        "Python": records[-1]["python"],
        "libraries": _listed(versions),
        "tried": " to ".join(dict.fromkeys(r["date"][:10] for r in (records[0], records[-1]))),
    }
    return Platform(
        machine, "", tuple((heading, str(text)) for heading, text in facts.items() if text)
    )


def _facts(sources: list[Source]) -> tuple[tuple[str, str], ...]:
    """Return headings and texts; the newest record decides."""
    newest = sources[-1]
    params = newest.result.params
    started = [time for source in sources for time in source.times if time]
    record = next((r for r in reversed(newest.records) if r.libraries), None)
    facts = {
        "processor": params.get("cpu"),
        "memory": params.get("ram"),
        "system": params.get("os") or (record and record.os),
        "file system of the artifacts": record and record.file_system,
        "Python": (record and record.python) or params.get("python"),
        "libraries": _listed(_versions(sources)),
        "measured": " to ".join(dict.fromkeys(day(time) for time in _ends(started))),
        "commit of the suite": ", ".join(dict.fromkeys(source.result.commit for source in sources)),
    }
    return tuple((heading, str(text)) for heading, text in facts.items() if text)


def _versions(sources: list[Source]) -> dict[str, str]:
    """Return the newest version of each library; older records name no instrument."""
    versions: dict[str, str] = {}
    for source in sources:
        for record in source.records:
            versions |= record.libraries
    return dict.fromkeys(INSTRUMENTS, NOT_RECORDED) | versions if versions else {}


def _requirements(sources: list[Source]) -> dict[str, str]:
    """Return Python and what asv installed, by name."""
    own = {"arch", "cpu", "machine", "num_cpu", "os", "ram"}
    params = sources[-1].result.params
    return {name: str(value) for name, value in params.items() if name not in own and value}


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _ends(times: list[int]) -> list[int]:
    return [min(times), max(times)] if times else []


def day(milliseconds: int) -> str:
    """Return the day of a time, which is given in milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
