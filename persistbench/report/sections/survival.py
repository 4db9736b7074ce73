"""Survival: which of scikit-learn's estimators come back the same from which backend."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from markupsafe import Markup

from persistbench.outcomes import Outcome
from persistbench.records import forms
from persistbench.records.figures import Table
from persistbench.records.questions import REFERENCE
from persistbench.report import heat
from persistbench.report.templates import fill

ORDER = 72
TITLE = "Survival"
TRIALS = (forms.SURVIVAL,)


@dataclass
class Row:
    """What became of all estimators with one backend.

    Attributes:
        outcomes: how many had which.
        sizes: of the artifacts, as multiples of the reference's.
        untrusted: for each artifact with an audit, how many names it asks to be trusted.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    sizes: list[float] = field(default_factory=list)
    untrusted: list[int] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """Estimators that could be fitted and that the backend, if installed, was tried with."""
        not_tried = (Outcome.NOT_INSTALLED, Outcome.ERROR_AT_BUILD)
        return self.outcomes.total() - sum(self.outcomes[outcome] for outcome in not_tried)

    @property
    def same(self) -> int:
        """Estimators that came back the same."""
        return self.outcomes[Outcome.SAME]

    @property
    def share(self) -> float:
        """The part of the estimators that came back the same."""
        return self.same / self.tried if self.tried else 0.0

    @property
    def size(self) -> float | None:
        """The median multiple of the reference's size."""
        return median(self.sizes) if self.sizes else None


def render(table: Table) -> Markup | None:
    """Return counts by backend, and a heat map of the estimators that some backend loses."""
    platforms = table.tried(forms.SURVIVAL)
    if not platforms:
        return None
    alt_text = "Heat map of the outcome by estimator and backend, where not all are the same."
    missed = [(index, lost(result)) for index, result in platforms]
    drawn = heat.interactive(
        "survival", missed, tell, heat.OUTCOMES, alt_text, search="estimator", step=18
    )
    shown = {index: counts(result) for index, result in platforms}
    return fill(
        "survival.html",
        untried=table.untried(forms.SURVIVAL),
        platforms=[
            (index, shown[index], len({r["subject"] for r in result}), _random(result))
            for index, result in platforms
        ],
        outcomes={index: _words(own) for index, own in shown.items()},
        audited={index: any(row.untrusted for row in own.values()) for index, own in shown.items()},
        reference=REFERENCE,
        chart=drawn if any(result for _, result in missed) else "",
    )


def counts(records: list[dict[str, Any]]) -> dict[str, Row]:
    """Return what became of all estimators by backend, the best backend first."""
    rows: dict[str, Row] = defaultdict(Row)
    sizes = {r["subject"]: r.get("bytes") for r in records if r["backend"] == REFERENCE}
    for record in records:
        row = rows[record["backend"]]
        row.outcomes[record["outcome"]] += 1
        size, other = record.get("bytes"), sizes.get(record["subject"])
        if size and other:
            row.sizes.append(size / other)
        if isinstance(untrusted := record.get("untrusted"), int):
            row.untrusted.append(untrusted)
    return dict(sorted(rows.items(), key=lambda item: (-item[1].share, item[0])))


def lost(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of the estimators that not every installed backend brings back."""
    no_loss = {Outcome.SAME, Outcome.NOT_INSTALLED}
    names = {record["subject"] for record in records if record["outcome"] not in no_loss}
    return [record for record in records if record["subject"] in names]


def tell(record: dict[str, Any]) -> tuple[str, str]:
    """Return the word and the reason that are shown of a record."""
    return str(record["outcome"]), str(record["reason"])


def _words(rows: dict[str, Row]) -> list[str]:
    """Return the outcomes that occur beside ``same``."""
    return [
        word
        for word in heat.OUTCOMES
        if word != Outcome.SAME and any(row.outcomes[word] for row in rows.values())
    ]


def _random(records: list[dict[str, Any]]) -> dict[str, str]:
    """Return the methods that are not compared, by estimator: asked twice, they differ."""
    shown = {}
    for record in records:
        methods = record.get("random")
        if isinstance(methods, list) and methods:
            shown[record["subject"]] = ", ".join(map(str, methods))
    return shown
