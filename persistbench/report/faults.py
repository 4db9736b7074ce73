"""Truncation and flipped bits: batches are summed, and drawn as shares with their intervals."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt

from persistbench.outcomes import Outcome
from persistbench.records import forms, trial
from persistbench.report import charts
from persistbench.report.safety import ByPlatform, Record
from persistbench.statistics.shares import wilson

WAYS = {forms.BIT_FLIP: "one flipped bit", forms.TRUNCATION: "cut off"}

EVERY = "all pipelines"
"""What is chosen first."""

SILENT = tuple(outcome for outcome in Outcome if outcome.silent)
"""Answers that are wrong, and no error."""

CRASH = (Outcome.CRASH,)


@dataclass
class Sum:
    """What became of all faults in artifacts of one backend.

    Attributes:
        counts: by outcome.
        errors: by class of exception, or by signal.
        tried: how many faults.
        planned: how many were to be tried.
        pipelines: whose artifacts.
        without: outcome and reason of pipelines that have no right artifact to be damaged.
    """

    counts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    planned: int = 0
    pipelines: set[str] = field(default_factory=set)
    without: dict[str, str] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Add a batch."""
        self.counts += Counter(record["counts"])
        self.errors += Counter(record["errors"])
        self.tried += record["tried"]
        if record["tried"]:
            self.pipelines.add(record["subject"])
        else:
            self.without[record["subject"]] = f"{record['outcome']}: {record['reason']}"

    def share(self, outcomes: Sequence[str]) -> tuple[int, float, float, float]:
        """Return how many had one of these outcomes, the share, and the ends of its interval."""
        result = sum(self.counts[outcome] for outcome in outcomes)
        return result, result / self.tried, *wilson(result, self.tried)


def sums(records: Iterable[Record]) -> dict[str, dict[str, Sum]]:
    """Return the sums of one kind by pipeline, :data:`EVERY` first, and backend.

    For all pipelines together, a backend counts as many batches of each pipeline as the slowest
    backend has. Shares of other mixtures could not be compared.
    """
    cells: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        cells[record["subject"]][record["backend"]].append(record)
    by_pipeline: dict[str, dict[str, Sum]] = {EVERY: {}}
    for pipeline, own in sorted(cells.items()):
        fewest = min(
            (len(batches) for batches in own.values() if any(one["tried"] for one in batches)),
            default=None,
        )
        for backend, batches in sorted(own.items()):
            batches.sort(key=lambda batch: batch.get("place") or "")
            for name, counted in ((EVERY, batches[:fewest]), (pipeline, batches)):
                total = by_pipeline.setdefault(name, {}).setdefault(backend, Sum())
                for batch in counted:
                    total.add(batch)
                if any(batch["tried"] for batch in batches):
                    total.planned += max(batch["wanted"] for batch in batches)
    return {name: dict(sorted(own.items())) for name, own in by_pipeline.items()}


def of_one_run(records: Iterable[Record]) -> list[Record]:
    """Return the batches that were made with the versions of the newest of their cell."""
    batches = sorted(records, key=lambda record: record["date"])
    newest = {(r["subject"], r["backend"]): trial.versions([r]) for r in batches}
    return [r for r in batches if trial.versions([r]) == newest[r["subject"], r["backend"]]]


def pipelines(trials: dict[str, ByPlatform]) -> list[str]:
    """Return what can be chosen."""
    names = {
        record["subject"] for kind in WAYS for _, own in trials.get(kind, []) for record in own
    }
    return [EVERY, *sorted(names - {EVERY})]


def rows(trials: dict[str, ByPlatform], outcomes: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for the chart of every platform, pipeline, backend and way to damage."""
    return [
        {
            "place": index,
            "faults": pipeline,
            "backend": backend,
            "way": way,
            **dict(zip(("share", "low", "high"), share[1:], strict=True)),
            "text": spoken(share, own.tried),
        }
        for kind, way in WAYS.items()
        for index, records in trials.get(kind, [])
        for pipeline, backends in sums(records).items()
        for backend, own in backends.items()
        if own.tried
        for share in [own.share(outcomes)]
    ]


def percent(share: float) -> str:
    """Return a share with two significant digits; only none is 0 and only all is 100."""
    shown = f"{float(f'{100 * share:.2g}'):g}"
    return f"{'>99' if share < 1 and shown == '100' else shown}\N{NO-BREAK SPACE}%"


def chart(drawn: list[dict[str, Any]], title: str) -> Any:
    """Return dots with intervals: a line for each backend, a dot for each way to damage."""
    ways = [way for way in WAYS.values() if any(row["way"] == way for row in drawn)]
    base = (
        alt.Chart(alt.InlineData(values=drawn))
        .transform_filter("datum.place === place && datum.faults === faults")
        .encode(
            y=alt.Y("backend:N", title=None),
            yOffset=alt.YOffset("way:N", sort=ways),
            color=alt.Color(
                "way:N",
                title=None,
                scale=alt.Scale(domain=ways, range=[charts.COLOURS[4], charts.COLOURS[0]]),
            ),
        )
    )
    axis = alt.Axis(format="~%", tickCount=5)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("share:Q", title=title, scale=alt.Scale(zero=True), axis=axis),
        shape=alt.Shape("way:N", legend=None, sort=ways),
        tooltip=charts.tooltip({"backend": "backend", "way": "damage", "text": title}),
        description="text:N",
    )
    intervals = base.mark_rule(opacity=0.6).encode(x=alt.X("low:Q"), x2="high:Q")
    return (
        alt.layer(intervals, points)
        .add_params(alt.param(name="place", value=0), alt.param(name="faults", value=EVERY))
        .properties(width="container", height=alt.Step(10), autosize=charts.FIT)
    )


@dataclass(frozen=True)
class Summary:
    """What is said of one figure.

    Attributes:
        most: the backend that showed it most often; empty if none did.
        text: how often.
        none: how many faults were tried with each backend that never showed it.
    """

    most: str
    text: str
    none: dict[str, int]


def summaries(
    trials: dict[str, ByPlatform], outcomes: Sequence[str]
) -> dict[int, dict[str, Summary]]:
    """Return what is said of all pipelines, by platform and way to damage."""
    groups: dict[int, dict[str, Summary]] = defaultdict(dict)
    for kind, way in WAYS.items():
        for index, records in trials.get(kind, []):
            every = {name: own for name, own in sums(records)[EVERY].items() if own.tried}
            shares = {name: own.share(outcomes) for name, own in every.items()}
            seen = {name: share for name, (_, share, *_) in shares.items() if share}
            most = max(seen, key=lambda name: seen[name], default="")
            text = spoken(shares[most], every[most].tried) if most else ""
            none = {name: own.tried for name, own in every.items() if name not in seen}
            if every:
                groups[index][way] = Summary(most, text, none)
    return groups


def spoken(share: tuple[int, float, float, float], tried: int) -> str:
    """Return a share with its interval."""
    count, middle, low, high = share
    ends = f"{percent(low)} to {percent(high)}"
    return f"{count:,} of {tried:,}: {percent(middle)} ({ends})"


def table(
    records: list[Record],
) -> dict[str, tuple[dict[str, Sum], dict[str, list[str]], list[Outcome]]]:
    """Return rows, who shares one, and the outcomes that occur, by pipeline."""
    shown = {}
    for pipeline, own in sums(records).items():
        keys = {
            name: (one.counts, one.tried, one.planned, one.pipelines, one.without)
            for name, one in own.items()
        }
        names = trial.named(keys)
        words = [word for word in _WORDS if any(one.counts[word] for one in own.values())]
        rows = {names[backend]: one for backend, one in own.items() if one.tried}
        shown[pipeline] = (rows, trial.members(names), words)
    return shown


_WORDS: list[Outcome] = sorted(
    (one for one in Outcome if not one.refusal and one is not Outcome.ERROR_AT_BUILD),
    key=lambda one: one.severity,
)
"""The columns, from worst to harmless."""
