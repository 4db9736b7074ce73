"""Where and with what figures were measured, as far as results and records tell."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from persistbench.records.figures import Place


class Source(NamedTuple):
    """One result file of asv, the records beside it, and when its benchmarks were started."""

    result: Any
    records: list[dict[str, Any]]
    times: list[int]


def place(machine: str, environment: str, sources: list[Source]) -> Place:
    """Return what is known of a machine and an environment.

    Args:
        machine: asv's name of it.
        environment: likewise.
        sources: the files that figures come from; at least one.
    """
    ordered = sorted(sources, key=lambda source: max(source.times, default=0))
    return Place(machine, environment, _facts(ordered), _requirements(ordered))


def place_of_trials(machine: str, tried: dict[str, list[dict[str, Any]]]) -> Place:
    """Return what is known of a machine where something was tried and nothing was timed."""
    records = sorted((r for own in tried.values() for r in own), key=lambda r: str(r["date"]))
    versions: dict[str, str] = {}
    for record in records:
        libraries = record.get("libraries")
        versions |= libraries if isinstance(libraries, dict) else {}
    facts = {
        "system": records[-1].get("os") or "",
        "Python": records[-1].get("python") or "",
        "libraries": _listed(versions),
        "tried": " to ".join(dict.fromkeys(r["date"][:10] for r in (records[0], records[-1]))),
    }
    return Place(
        machine, "", tuple((heading, str(text)) for heading, text in facts.items() if text)
    )


def _facts(sources: list[Source]) -> tuple[tuple[str, str], ...]:
    """Return headings and texts; the newest word on each."""
    newest = sources[-1]
    params = newest.result.params
    started = [time for source in sources for time in source.times if time]
    record: dict[str, Any] = next((r for r in reversed(newest.records) if r.get("libraries")), {})
    versions: dict[str, str] = {}
    for source in sources:
        for result in source.records:
            libraries = result.get("libraries")
            versions |= libraries if isinstance(libraries, dict) else {}
    facts = {
        "processor": params.get("cpu") or "",
        "memory": params.get("ram") or "",
        "system": params.get("os") or record.get("os") or "",
        "file system of the artifacts": record.get("file_system") or "",
        "Python": record.get("python") or params.get("python") or "",
        "libraries": _listed(versions),
        "measured": " to ".join(dict.fromkeys(_day(time) for time in _ends(started))),
        "commit of the suite": ", ".join(
            dict.fromkeys(source.result.commit_hash[:8] for source in sources)
        ),
    }
    return tuple((heading, text) for heading, text in facts.items() if text)


def _requirements(sources: list[Source]) -> dict[str, str]:
    """Return Python and what asv installed, by name."""
    own = {"arch", "cpu", "machine", "num_cpu", "os", "ram"}
    params = sources[-1].result.params
    return {name: str(value) for name, value in params.items() if name not in own and value}


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _ends(times: list[int]) -> list[int]:
    return [min(times), max(times)] if times else []


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
