"""The trials' records as the page shows them: the newest of each, whole and of known form."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from persistbench.records import forms, jsonl
from persistbench.records.questions import REFERENCE

Trials = dict[str, dict[str, list[dict[str, Any]]]]
"""Records by machine and trial: the fields of their structs (:mod:`persistbench.records.forms`)."""


def read(results: Path) -> tuple[Trials, list[str]]:
    """Return the newest record of each trial, and a sentence for whatever was left out.

    Args:
        results: asv's results folder; the records lie in ``<machine>/trials/``.
    """
    result: Trials = {}
    warnings: list[str] = []
    for path in sorted(results.glob("*/trials/*.jsonl")):
        try:
            records, broken = jsonl.read_typed(path, forms.decode)
        except OSError as error:
            warnings.append(f"{path} is left out: {error.strerror}")
            continue
        warnings += broken
        for record in newest(map(to_builtins, records)):
            own = result.setdefault(path.parts[-3], {}).setdefault(record["trial"], [])
            own.append(record)
    return result, warnings


def newest(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the newest record of each trial, subject, backend and condition, in that order.

    Of two with the same date it is the later line.
    """
    last: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in records:
        cell = tuple(record.get(name) or "" for name in ("trial", "subject", "backend", "place"))
        if cell not in last or record["date"] >= last[cell]["date"]:
            last[cell] = record
    return [last[cell] for cell in sorted(last)]


def alike(
    records: Iterable[dict[str, Any]], word: Callable[[dict[str, Any]], str]
) -> dict[str, str]:
    """Return the name under which each backend is shown: those that are alike share one.

    Args:
        records: of one trial.
        word: what is shown of a record; backends with the same words everywhere are alike.
    """
    shown: dict[str, dict[str, str]] = defaultdict(dict)
    for record in records:
        cell = f"{record['subject']} {record.get('place') or ''}"
        shown[record["backend"]][cell] = word(record)
    return named(shown)


def named(shown: Mapping[str, object]) -> dict[str, str]:
    """Return the name of each backend: those of which the same is shown share one.

    It is that of the reference or the shortest of them, and says how many there are besides.
    """
    groups: list[tuple[object, list[str]]] = []
    for backend, own in sorted(shown.items()):
        for other, group in groups:
            if own == other:
                group.append(backend)
                break
        else:
            groups.append((own, [backend]))
    names: dict[str, str] = {}
    for _, group in groups:
        first = REFERENCE if REFERENCE in group else min(group, key=len)
        name = first if len(group) == 1 else f"{first} +{len(group) - 1}"
        names |= dict.fromkeys(group, name)
    return names


def members(names: dict[str, str]) -> dict[str, list[str]]:
    """Return the backends that :func:`alike` has given one name, where there are several."""
    result: dict[str, list[str]] = defaultdict(list)
    for backend, name in names.items():
        result[name].append(backend)
    return {name: group for name, group in result.items() if len(group) > 1}


def versions(records: Iterable[dict[str, Any]]) -> str:
    """Return with which Python and libraries records were made, in one line."""
    known: dict[str, set[str]] = defaultdict(set)
    for record in records:
        known["Python"].add(record["python"])
        for name, version in record["libraries"].items():
            known[name].add(version)
    return ", ".join(f"{name} {' and '.join(sorted(own))}" for name, own in known.items())
