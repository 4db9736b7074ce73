"""The trials' records as the page shows them: the newest of each, whole and of known form."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from persistbench.outcomes import Outcome
from persistbench.records import forms, jsonl
from persistbench.records.questions import REFERENCE
from persistbench.records.steps import Step

Trials = dict[str, dict[str, list[dict[str, Any]]]]
"""Records by machine and trial."""

SURVIVAL, CUSTOM_CODE, EXACTNESS = "survival", "custom-code", "exactness"

METRICS = ("accuracy", "precision", "recall", "F1")
MATRIX = "confusion matrix"

_TEXTS = ("trial", "subject", "backend", "outcome", "reason", "date")


def read(results: Path) -> tuple[Trials, list[str]]:
    """Return the newest record of each trial, and a sentence for whatever was left out.

    Args:
        results: asv's results folder; the records lie in ``<machine>/trials/``.
    """
    result: Trials = {}
    warnings: list[str] = []
    for path in sorted(results.glob("*/trials/*.jsonl")):
        try:
            lines, broken = jsonl.read(path)
        except OSError as error:
            warnings.append(f"{path} is left out: {error.strerror}")
            continue
        warnings += broken
        whole = [record for line in lines if _known(record := _completed(line))]
        if len(whole) < len(lines):
            foreign = len(lines) - len(whole)
            warnings.append(f"{path} has {foreign} foreign lines, which are left out.")
        for record in newest(whole):
            own = result.setdefault(path.parts[-3], {}).setdefault(record["trial"], [])
            own.append(record)
    return result, warnings


def newest(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the newest record of each trial, subject, backend and place, in that order.

    Of two with the same date it is the later line.
    """
    last: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in found:
        cell = tuple(record.get(name) or "" for name in ("trial", "subject", "backend", "place"))
        if cell not in last or record["date"] >= last[cell]["date"]:
            last[cell] = record
    return [last[cell] for cell in sorted(last)]


def alike(found: Iterable[dict[str, Any]], word: Callable[[dict[str, Any]], str]) -> dict[str, str]:
    """Return the name under which each backend is shown: those that are alike share one.

    Args:
        found: records of one trial.
        word: what is shown of a record; backends with the same words everywhere are alike.
    """
    shown: dict[str, dict[str, str]] = defaultdict(dict)
    for record in found:
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


def versions(found: Iterable[dict[str, Any]]) -> str:
    """Return with which Python and libraries records were made, in one line."""
    known: dict[str, set[str]] = defaultdict(set)
    for record in found:
        known["Python"].add(str(record.get("python") or "?"))
        libraries = record.get("libraries")
        for name, version in libraries.items() if isinstance(libraries, dict) else ():
            known[str(name)].add(str(version))
    return ", ".join(f"{name} {' and '.join(sorted(own))}" for name, own in known.items())


def _completed(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with all parts: where nothing came back, there was nothing to check."""
    if record.get("trial") == EXACTNESS:
        return _NOTHING_CHECKED | record
    return forms.completed(record)


_NOTHING_CHECKED: dict[str, Any] = {"checks": {}, "metrics": {}, "steps": []}


def _known(record: dict[str, Any]) -> bool:
    """Return whether a record has the form that the page needs: it may come from anywhere."""
    return (
        all(isinstance(record.get(name), str) for name in _TEXTS)
        and isinstance(record.get("place", ""), (str, NoneType))
        and record["outcome"] in set(Outcome)
        and _number(record.get("bytes"))
        and _FORMS.get(record["trial"], forms.whole)(record)
    )


def _custom_code(record: dict[str, Any]) -> bool:
    return record.get("place") in ("present", "absent")


def _exactness(record: dict[str, Any]) -> bool:
    checks, metrics, steps = (record.get(name) for name in ("checks", "metrics", "steps"))
    return (
        isinstance(checks, dict)
        and all(isinstance(text, str) for text in checks.values())
        and isinstance(metrics, dict)
        and all(_before_and_after(pair) for pair in metrics.values())
        and isinstance(steps, list)
        and all(_step(step) for step in steps)
        and all(_number(record.get(name)) for name in ("largest_difference", "label_changes"))
    )


def _before_and_after(pair: Any) -> bool:
    return isinstance(pair, dict) and all(
        isinstance(side, dict)
        and all(_number(side.get(name)) for name in METRICS)
        and isinstance(rows := side.get(MATRIX, []), list)
        and all(isinstance(row, list) and all(map(_number, row)) for row in rows)
        for side in (pair.get("before"), pair.get("after"))
    )


def _step(step: Any) -> bool:
    return (
        isinstance(step, dict)
        and step.keys() == set(Step.__struct_fields__)
        and all(isinstance(step[name], str) for name in ("step", "kind", "largest"))
        and all(_number(step[name]) for name in ("bytes", "load_seconds", "largest_bytes"))
    )


def _number(value: Any) -> bool:
    """Return whether a value is a number that JSON knows, or None."""
    return value is None or (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < float("inf")
    )


_FORMS: dict[str, Callable[[dict[str, Any]], bool]] = {
    CUSTOM_CODE: _custom_code,
    EXACTNESS: _exactness,
}
"""What else the records of a trial need; :mod:`persistbench.records.forms` knows it of others."""
