"""Accident: damage, failed saves, leaks and maps that change under those who use them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from persistbench.outcomes import Outcome
from persistbench.records import forms, trial
from persistbench.records.figures import Table
from persistbench.report import advice, charts, faults, heat, safety
from persistbench.report.safety import Record
from persistbench.report.sections import custom_code
from persistbench.report.templates import fill

ORDER = 79
TITLE = "Accident"
TRIALS = forms.ACCIDENTS

SAVED_HOW = ("own", "renamed")

LEFT = {
    "earlier": "the earlier file",
    "new": "a right new file",
    "broken": "a broken file",
    "wrong": "another thing",
    "nothing": "nothing",
}
LOST = ("broken", "wrong", "nothing")

LEFT_STYLES = {
    LEFT["earlier"]: heat.Style("#d5d7da", ""),
    LEFT["new"]: heat.Style("#56B4E9", "n"),
    LEFT["broken"]: heat.Style("#D55E00", "✗"),
    LEFT["wrong"]: heat.Style("#E69F00", "w"),
    LEFT["nothing"]: heat.Style("#F0E442", "0"),
    **heat.OUTCOMES,
}

WHERE = {"artifact": "in the file", "loaded": "in what is loaded", "no": "not found"}

LEAK_STYLES = {
    WHERE["artifact"]: heat.Style("#D55E00", "!"),
    WHERE["loaded"]: heat.Style("#E69F00", "o"),
    WHERE["no"]: heat.Style("#d5d7da", ""),
    **heat.OUTCOMES,
}

CHANGED, NOT_MAPPED = "the file is changed", "not mapped"

MAP_STYLES = {
    **heat.OUTCOMES,
    CHANGED: heat.Style("#D55E00", "!"),
    NOT_MAPPED: heat.Style("#888888", "m"),
}

NOT_TRIED = frozenset({Outcome.UNSUPPORTED, Outcome.ERROR_AT_BUILD})


def render(table: Table) -> Markup | None:
    """Return what damage, failed saves and shared files do, kind by kind."""
    result = safety.tried(table, forms.ACCIDENTS)
    if not result:
        return None
    for kind in faults.WAYS.keys() & result.keys():
        result[kind] = [(index, faults.of_one_run(own)) for index, own in result[kind]]
    saves, maps = result.get(forms.FAILED_SAVE, []), result.get(forms.MAP_IN_USE, [])
    return fill(
        "accident.html",
        advice=advice.read(),
        untried=safety.untried(table, forms.ACCIDENTS),
        versions=safety.versions(result),
        pipelines=faults.pipelines(result),
        figures=_figures(result),
        damage=[
            (way, [(index, faults.table(own)) for index, own in result[kind]])
            for kind, way in faults.WAYS.items()
            if kind in result
        ],
        saves=[(index, lost(own)) for index, own in saves],
        saves_chart=safety.drawn(
            "failed-save",
            saves,
            left,
            LEFT_STYLES,
            "Heat maps: what lies at the path after a save that goes wrong, by backend.",
            columns=SAVED_HOW,
        ),
        success_chart=safety.drawn(
            "false-success",
            result.get(forms.FALSE_SUCCESS),
            success,
            custom_code.STYLES,
            "Heat map: dumps that succeed in vain, by what is saved and backend.",
        ),
        leaks_chart=safety.drawn(
            "leaks",
            result.get(forms.LEAKS),
            leaked,
            LEAK_STYLES,
            "Heat map: where a secret was found, by its hiding place and backend.",
        ),
        maps_chart=safety.drawn(
            "map-in-use",
            maps,
            mapped,
            MAP_STYLES,
            "Heat maps: what happens to a file that is mapped, by backend and mode.",
            columns=[
                mode
                for mode in ("r", "r+", "c")
                if any(r.get("place") == mode for _, own in maps for r in own)
            ],
        ),
        read_only=[
            (index, calls(own), failing(own), trial.versions(own))
            for index, own in result.get(forms.READ_ONLY_MAP, [])
        ],
        concurrent=[(index, *shared(own)) for index, own in result.get(forms.CONCURRENT_USE, [])],
        saved_how=SAVED_HOW,
        matrix=safety.matrix(result, COLUMNS),
    )


def _figures(trials: dict[str, safety.ByPlatform]) -> list[tuple[str, Any, Markup]]:
    """Return the two figures that stand out: title, what is said by platform, chart."""
    shown = []
    for name, title, outcomes in (
        ("silent", "Silent wrong answers", faults.SILENT),
        ("crashes", "Crashes", faults.CRASH),
    ):
        if rows := faults.rows(trials, outcomes):
            alt_text = f"{title}: share of the damaged artifacts, by backend, with its interval."
            chart = faults.chart(rows, f"{title.lower()}, of all faults")
            drawn = charts.interactive(name, chart, alt_text)
            shown.append((title, faults.summaries(trials, outcomes), drawn))
    return shown


def _faults(outcomes: Sequence[str]) -> Callable[[Record], tuple[int, int]]:
    return lambda record: (sum(record["counts"].get(o, 0) for o in outcomes), record["tried"])


def _lost(way: str) -> Callable[[Record], tuple[int, int]]:
    return lambda record: (
        (record["left"] in LOST, record["left"] is not None) if record["place"] == way else (0, 0)
    )


def _bad_loads(way: str) -> Callable[[Record], tuple[int, int]]:
    return lambda record: (
        (record["wrong"] + sum(record["errors"].values()), record["loads"])
        if record["place"] == way
        else (0, 0)
    )


def _fails(record: Record) -> tuple[int, int]:
    saved = record["outcome"] not in (*NOT_TRIED, Outcome.ERROR_AT_DUMP)  # there was no file
    return saved and record["outcome"] != Outcome.SAME, saved


COLUMNS = (
    safety.Column("bit: silent", forms.BIT_FLIP, _faults(faults.SILENT)),
    safety.Column("bit: crash", forms.BIT_FLIP, _faults(faults.CRASH)),
    safety.Column("cut: silent", forms.TRUNCATION, _faults(faults.SILENT)),
    safety.Column("cut: crash", forms.TRUNCATION, _faults(faults.CRASH)),
    safety.Column("own save: lost", forms.FAILED_SAVE, _lost("own")),
    safety.Column("renamed: lost", forms.FAILED_SAVE, _lost("renamed")),
    safety.Column(
        "false success",
        forms.FALSE_SUCCESS,
        lambda r: (r["false_success"] is True, r["false_success"] is not None),
    ),
    safety.Column(
        "secret found",
        forms.LEAKS,
        lambda r: (r["found"] in ("artifact", "loaded"), bool(r["found"])),
    ),
    safety.Column("map in use: not the same", forms.MAP_IN_USE, _fails),
    safety.Column("methods failing on maps", forms.READ_ONLY_MAP, _fails),
    safety.Column("own save: bad loads", forms.CONCURRENT_USE, _bad_loads("own")),
    safety.Column("renamed: bad loads", forms.CONCURRENT_USE, _bad_loads("renamed")),
)
"""What is bad, in the order of the section."""


def left(record: Record) -> tuple[str, str]:
    """Return what lies at the path after a save, and what else is to be said of it."""
    litter = f"{record['litter']} other files are left" if record["litter"] else ""
    reason = "; ".join(filter(None, (safety.message(record), record["left_reason"], litter)))
    word = LEFT[record["left"]] if record["left"] else record["outcome"]
    return word, f"the save: {reason}"


@dataclass
class Lost:
    """What saves that go wrong have done to the earlier file.

    Attributes:
        tried: how many saves.
        lost: after how many neither the earlier nor a right new file is there.
        litter: other files that were left.
        keepers: backends that never lost it.
    """

    tried: int = 0
    lost: int = 0
    litter: int = 0
    keepers: list[str] = field(default_factory=list)


def lost(records: list[Record]) -> dict[str, Lost]:
    """Return what is lost by the way of saving."""
    ways = {way: Lost() for way in SAVED_HOW}
    losses: dict[tuple[str, str], int] = Counter()
    for record in records:
        if record["left"] is not None:
            own = ways[record["place"]]
            own.tried += 1
            own.lost += record["left"] in LOST
            own.litter += record["litter"] or 0
            losses[record["place"], record["backend"]] += record["left"] in LOST
    for (way, backend), count in sorted(losses.items()):
        if not count:
            ways[way].keepers.append(backend)
    return {way: own for way, own in ways.items() if own.tried}


def success(record: Record) -> tuple[str, str]:
    """Return whether a dump succeeded in vain, and why."""
    reason = "; ".join(filter(None, (safety.message(record), record["dead"])))
    return (custom_code.FALSE_SUCCESS if record["false_success"] else record["outcome"]), reason


def leaked(record: Record) -> tuple[str, str]:
    """Return where a secret was found; the outcome where there is no file to search."""
    word = WHERE[record["found"]] if record["found"] else record["outcome"]
    return word, safety.message(record)


def mapped(record: Record) -> tuple[str, str]:
    """Return the worst that happened to a mapped file, and the rest as its reason."""
    changed = CHANGED if record["file_changed"] else ""
    reason = "; ".join(filter(None, (safety.message(record), changed)))
    if record["outcome"] != Outcome.SAME:
        return record["outcome"], reason
    return changed or (NOT_MAPPED if record["mapped"] is False else record["outcome"]), reason


def calls(records: list[Record]) -> int:
    """Return how many calls were made on read-only maps."""
    return sum(record["outcome"] not in NOT_TRIED for record in records)


def failing(records: list[Record]) -> list[tuple[str, str, Outcome, str, list[str]]]:
    """Return estimator, method, outcome, reason and backends of what fails on read-only maps."""
    groups: dict[tuple[str, str, Outcome, str], list[str]] = defaultdict(list)
    for record in records:
        if record["outcome"] not in {Outcome.SAME, *NOT_TRIED}:
            outcome = Outcome(record["outcome"])
            names = (record["subject"], record["place"] or "", outcome, record["reason"])
            groups[names].append(record["backend"])
    ordered = sorted(groups.items(), key=lambda item: (not item[0][2].died, item[0]))
    return [(*names, sorted(backends)) for names, backends in ordered]


@dataclass
class Shared:
    """Loads while another process saves.

    Attributes:
        loads: how many.
        wrong: how many gave an answer that is neither that of the earlier nor of the new file.
        swaps: how many times a new version was saved.
        errors: by class.
    """

    loads: int = 0
    wrong: int = 0
    swaps: int = 0
    errors: Counter[str] = field(default_factory=Counter)


def shared(
    records: list[Record],
) -> tuple[dict[str, dict[str, Shared]], dict[str, list[str]]]:
    """Return the sums over pipelines by backend and way of saving, and who shares a name.

    The worst backend comes first.
    """
    rows: dict[str, dict[str, Shared]] = defaultdict(dict)
    for record in records:
        own = rows[record["backend"]].setdefault(record["place"], Shared())
        own.loads += record["loads"]
        own.wrong += record["wrong"]
        own.swaps += record["swaps"]
        own.errors += Counter(record["errors"])

    def badness(own: dict[str, Shared]) -> tuple[int, int]:
        return sum(s.wrong for s in own.values()), sum(s.errors.total() for s in own.values())

    names = trial.named(rows)
    ordered = sorted(rows.items(), key=lambda item: (*(-n for n in badness(item[1])), item[0]))
    return {names[backend]: own for backend, own in ordered}, trial.members(names)
