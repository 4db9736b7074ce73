"""Exactness: is a loaded pipeline the one that was saved, and where do its bytes go?"""

from collections import defaultdict
from typing import Any

from markupsafe import Markup

from persistbench.outcomes import Outcome
from persistbench.records import forms, trial
from persistbench.records.figures import Table
from persistbench.records.questions import REFERENCE
from persistbench.records.steps import Step, advice
from persistbench.report import heat
from persistbench.report.templates import asset, fill

ORDER = 76
TITLE = "Exactness"
TRIALS = (forms.EXACTNESS,)

CHECKS = {
    "predictions": "it predicts the same",
    "attributes": "every attribute is the same",
    "parameters": "get_params is the same",
    "clone": "it can be cloned",
    "refit": "it can be fitted again",
    "second dump": "dumped again, it gives the same bytes",
    "deterministic": "dumped twice, the original gives the same bytes",
}
"""What each check says if it is passed; the worst to miss first."""

ALL_RIGHT = "all right"

STYLES = {
    ALL_RIGHT: heat.Style("#d5d7da", ""),
    "predictions": heat.Style("#D55E00", "p"),
    "attributes": heat.Style("#E69F00", "a"),
    "parameters": heat.Style("#E69F00", "g"),
    "clone": heat.Style("#E69F00", "c"),
    "refit": heat.Style("#E69F00", "f"),
    "second dump": heat.Style("#56B4E9", "2"),
    "deterministic": heat.Style("#56B4E9", "="),
    **{word: style for word, style in heat.OUTCOMES.items() if word != Outcome.SAME},
}

NOT_APPLICABLE = "n/a"
"""What the text of a check begins with that makes no sense for a backend."""


def render(table: Table) -> Markup | None:
    """Return the worst check by pipeline and backend; exactness.js shows the chosen cell."""
    platforms = table.tried(forms.EXACTNESS)
    if not platforms:
        return None
    alt_text = "Heat map of the worst check by pipeline and backend."
    backends = sorted({record["backend"] for _, result in platforms for record in result})
    return fill(
        "exactness.html",
        untried=table.untried(forms.EXACTNESS),
        checks=CHECKS,
        platforms=[(index, *passed(result)) for index, result in platforms],
        chart=heat.interactive("exactness", platforms, tell, STYLES, alt_text),
        backends=backends,
        first=REFERENCE if REFERENCE in backends else backends[0],
        records=[{"place": index, **_kept(r)} for index, result in platforms for r in result],
        words={"metrics": forms.METRICS, "matrix": forms.MATRIX},
        script=asset("exactness.js"),
    )


def wrong(record: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong by check, the worst first."""
    order = [*CHECKS, *sorted(record["checks"].keys() - CHECKS.keys())]
    result = {check: record["checks"].get(check, "") for check in order}
    return {c: text for c, text in result.items() if text and not text.startswith(NOT_APPLICABLE)}


def tell(record: dict[str, Any]) -> tuple[str, str]:
    """Return the worst check that is missed and what it says; else the outcome."""
    if Outcome(record["outcome"]).came_back and (misses := wrong(record)):
        return next(iter(misses.items()))
    if record["outcome"] == Outcome.SAME:
        return ALL_RIGHT, ""
    return str(record["outcome"]), str(record["reason"])


def passed(
    records: list[dict[str, Any]],
) -> tuple[dict[str, dict[str, tuple[int, int]]], dict[str, list[str]]]:
    """Return how many pipelines pass each check, of how many to which it applies, by backend.

    Backends with the same numbers share a name; the second part says which.
    """
    numbers: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for record in records:
        own = numbers[record["backend"]]
        for check in CHECKS:
            text = record["checks"].get(check)
            applicable = text is not None and not text.startswith(NOT_APPLICABLE)
            before = own.get(check, (0, 0))
            own[check] = (before[0] + (applicable and not text), before[1] + applicable)
    names = trial.named(numbers)
    return {names[backend]: numbers[backend] for backend in sorted(numbers)}, trial.members(names)


def _kept(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a record when its cell is chosen."""
    names = ("subject", "backend", "outcome", "reason", "largest_difference", "label_changes")
    return {
        **{name: record.get(name) for name in (*names, "metrics", "steps")},
        "wrong": wrong(record),
        "advice": advice([Step(**step) for step in record["steps"]]),
    }
