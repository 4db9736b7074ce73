"""Attack: what a crafted artifact can do to the one who opens it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from persistbench.outcomes import Outcome
from persistbench.records import forms, trial
from persistbench.records.about import Backend
from persistbench.records.figures import Table
from persistbench.report import advice, heat, safety
from persistbench.report.safety import ByPlatform, Record
from persistbench.report.templates import fill

ORDER = 78
TITLE = "Attack"
TRIALS = forms.ATTACKS

RAN = {
    "audit": "code ran at inspection",
    "load": "code ran at load",
    "use": "code ran at use",
}
REFUSED, INERT, NOT_CARRIED = "refused", "no code ran", "cannot be carried"

STYLES: dict[str, heat.Style] = {
    RAN["audit"]: heat.Style("#D55E00", "A"),
    RAN["load"]: heat.Style("#D55E00", "L"),
    RAN["use"]: heat.Style("#E69F00", "U"),
    **{outcome: heat.OUTCOMES[outcome] for outcome in Outcome if outcome.died},
    REFUSED: heat.Style("#56B4E9", "r"),
    INERT: heat.Style("#d5d7da", ""),
    NOT_CARRIED: heat.Style("#eeeeee", "–"),
}

TRUST = {
    "documented": "used as documented",
    "no trust": "with nothing trusted",
    "reviewed": "with a list that a user has reviewed",
    "blind": "with blind trust in what the file asks for",
}
"""How a backend was used, from what everybody does to what nobody should."""


def render(table: Table) -> Markup | None:
    """Return who ran code, what an inspection does, what bombs cost, and what scanners see."""
    result = safety.tried(table, forms.ATTACKS)
    if not result:
        return None
    codes: ByPlatform = [
        (index, [_labelled(record) for record in own]) for index, own in result.get(forms.CODE, [])
    ]
    alt_text = "Heat map: when code ran, by shape of the payload and backend."
    bombs = result.get(forms.BOMBS, [])
    return fill(
        "attack.html",
        advice=advice.read(),
        untried=safety.untried(table, forms.ATTACKS),
        versions=safety.versions(result),
        trust=TRUST,
        code=[
            (index, admitted(own), *judged(own, table.claims(index)))
            for index, own in result.get(forms.CODE, [])
        ],
        chart=safety.drawn("attack", codes, tell, STYLES, alt_text),
        inspections=[(index, inspected(own)) for index, own in result.get(forms.LOOKING, [])],
        bombs=[(index, unfolded(own), refusing(own), limits(own)) for index, own in bombs],
        stages=forms.STAGES,
        matrix=safety.matrix(result, COLUMNS),
        scanners=[(index, *scanned(own)) for index, own in result.get(forms.SCANNERS, [])],
    )


def _labelled(record: Record) -> Record:
    """Return a record whose backend is named with what it was told to trust."""
    condition = record.get("place")
    if condition not in ("no trust", "reviewed"):
        return record | {"place": None}
    return record | {"backend": f"{record['backend']}, {condition}", "place": None}


def tell(record: Record) -> tuple[str, str]:
    """Return the word and the reason that are shown of a payload in a backend's file."""
    reason = safety.message(record)
    if record["marker"] in RAN:
        return RAN[record["marker"]], reason
    if Outcome(record["outcome"]).died:
        return record["outcome"], reason
    if record["marker"] is None:
        return NOT_CARRIED, reason
    return (REFUSED if record["refused"] else INERT), reason


def _beyond(record: Record) -> tuple[int, int]:
    peaks = [record["peak"].get(stage) or 0 for stage in forms.STAGES]
    return max(peaks) > SPENT, bool(record["bytes"])


def _missed(record: Record) -> tuple[int, int]:
    marked = record["counts"] if record["place"] == "marker" else {}
    return marked.get("clean", 0), sum(marked.values())


SPENT = 300 * 10**6
"""Bytes that a bomb may take before it is counted."""

COLUMNS = (
    safety.Column("code ran", forms.CODE, lambda r: (r["marker"] in RAN, r["marker"] is not None)),
    safety.Column(
        "code ran at inspection", forms.LOOKING, lambda r: (r["marker"] is True, _inspectable(r))
    ),
    safety.Column("bombs over 300 MB", forms.BOMBS, _beyond),
    safety.Column("markers missed by scanners", forms.SCANNERS, _missed),
)


def runners(records: list[Record]) -> dict[str, list[str]]:
    """Return the backends with which code ran, by what they were told to trust."""
    ran: dict[str, set[str]] = {condition: set() for condition in TRUST}
    for record in records:
        if record["marker"] in RAN:
            ran.setdefault(record.get("place") or "documented", set()).add(record["backend"])
    return {condition: sorted(own) for condition, own in ran.items()}


def admitted(records: list[Record]) -> list[str]:
    """Return the names on a user's list by which code ran; none if it ran without such a name."""
    ran = [r for r in records if r["marker"] in RAN and r.get("place") == "reviewed"]
    names = [names if isinstance(names := r.get("admitted"), list) else [] for r in ran]
    return sorted({str(name) for own in names for name in own}) if all(names) else []


@dataclass
class Judged:
    """What became of all shapes with one backend that was used in one way.

    Attributes:
        ran: in how many code ran.
        carried: how many could be put into its file.
    """

    ran: int = 0
    carried: int = 0


def judged(
    records: list[Record], claims: Mapping[str, Backend]
) -> tuple[int, dict[str, dict[str, dict[str, Judged]]]]:
    """Return how many shapes there are, and the backends by what became of those.

    The groups are ``ran``; ``quiet``, no shape ran; ``design``, none ran, and yet it can run any
    code by design; and ``lacking``, whose file can carry no shape. Within each they are by trust.

    Args:
        records: the records of one machine.
        claims: what its backends said of themselves, by id.
    """
    sums: dict[tuple[str, str], Judged] = defaultdict(Judged)
    for record in records:
        own = sums[record.get("place") or "documented", record["backend"]]
        own.ran += record["marker"] in RAN
        own.carried += record["marker"] is not None
    groups: dict[str, dict[str, dict[str, Judged]]] = {
        group: defaultdict(dict) for group in ("ran", "quiet", "design", "lacking")
    }
    order = list(TRUST)
    for (condition, backend), own in sorted(
        sums.items(),
        key=lambda one: (order.index(one[0][0]) if one[0][0] in order else len(order), *one[0]),
    ):
        if own.ran:
            group = "ran"
        elif not own.carried:
            group = "lacking"
        else:
            group = "design" if safety.by_design(claims.get(backend)) else "quiet"
        groups[group][condition][backend] = own
    return len({record["subject"] for record in records}), groups


@dataclass
class Inspection:
    """What one library's inspection of files of all shapes does.

    Attributes:
        shapes: how many files were inspected.
        ran: in how many code ran.
        imported: in how many it imported what the inspection of an honest file does not.
        most: modules that it imported at most.
        modules: names of some.
        outcomes: how the inspections ended.
    """

    shapes: int
    ran: int
    imported: int
    most: int
    modules: list[str]
    outcomes: Counter[str]


def inspected(records: list[Record]) -> list[tuple[str, list[str], Inspection]]:
    """Return the function, the backends with the same result, and what the inspection does."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if _inspectable(record):
            groups[record.get("place") or "", record["backend"]].append(record)
    rows = [
        (
            function,
            backend,
            Inspection(
                len(own),
                sum(record["marker"] is True for record in own),
                sum(bool(record["imported"]) for record in own),
                max(record["imported"] or 0 for record in own),
                sorted({name for record in own for name in record["modules"]}),
                Counter(record["outcome"] for record in own),
            ),
        )
        for (function, backend), own in sorted(groups.items())
    ]
    shown: list[tuple[str, list[str], Inspection]] = []
    for function, backend, inspection in rows:
        if shown and shown[-1][::2] == (function, inspection):
            shown[-1][1].append(backend)
        else:
            shown.append((function, [backend], inspection))
    return shown


def _inspectable(record: Record) -> bool:
    """Return whether there was a file to inspect."""
    nothing = (Outcome.ERROR_AT_DUMP, Outcome.UNSUPPORTED)
    return record["marker"] is not None and record["outcome"] not in nothing


@dataclass(frozen=True)
class Bomb:
    """A small file that asks for much.

    Attributes:
        record: what was seen.
        factor: peak bytes for each byte of the file, at the worst stage; None if not known.
        stage: the worst one.
        limited: outcome and reason under a process limit, if it was tried.
    """

    record: Record
    factor: float | None
    stage: str
    limited: tuple[str, str] | None


def unfolded(records: list[Record]) -> dict[str, list[Bomb]]:
    """Return the bombs by shape, the worst for its size first."""
    shapes: dict[str, list[Bomb]] = defaultdict(list)
    for record in records:
        if record["bytes"]:
            shapes[record["subject"]].append(_bomb(record))
    for own in shapes.values():
        own.sort(key=lambda bomb: (-(bomb.factor or 0.0), bomb.record["backend"]))
    return dict(sorted(shapes.items(), key=lambda item: (-(item[1][0].factor or 0.0), item[0])))


def _bomb(record: Record) -> Bomb:
    peaks = {s: record["peak"][s] for s in forms.STAGES if record["peak"].get(s) is not None}
    stage = max(peaks, key=lambda name: peaks[name], default="")
    limited = record["limited"]
    return Bomb(
        record,
        peaks[stage] / record["bytes"] if stage else None,
        stage,
        (limited["outcome"], safety.message(limited)) if limited else None,
    )


def refusing(records: list[Record]) -> dict[str, list[str]]:
    """Return the backends whose file cannot carry a bomb, by shape."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if not record["bytes"]:
            shapes[record["subject"]].append(record["backend"])
    return {shape: sorted(own) for shape, own in sorted(shapes.items())}


def limits(records: list[Record]) -> dict[str, list[str]]:
    """Return what the libraries let a user limit, with the backends; nothing is left out."""
    texts: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record["limit"]:
            texts[record["limit"]].add(record["backend"])
    return {text: sorted(own) for text, own in sorted(texts.items())}


VERDICTS = ("flagged", "error", "clean")


def scanned(
    records: list[Record],
) -> tuple[list[tuple[str, str, dict[str, Any]]], dict[str, list[str]]]:
    """Return scanner, backend and counts by kind of file; all backends come first.

    Backends with the same counts share a name; the second part says which.
    """
    counts: dict[str, dict[str, dict[str, Counter[str]]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        scanner = f"{record['subject']} {record['version']}".strip()
        own = counts[record["backend"]][scanner]
        own[record["place"]] = own.get(record["place"], Counter()) + Counter(record["counts"])
    names = trial.named(counts)
    rows: list[tuple[str, str, dict[str, Any]]] = []
    for scanner in sorted({name for own in counts.values() for name in own}):
        total: dict[str, Counter[str]] = defaultdict(Counter)
        for scanners in counts.values():
            for kind, count in scanners.get(scanner, {}).items():
                total[kind] += count
        rows.append((scanner, "", dict(total)))
        shown = {names[b]: one[scanner] for b, one in sorted(counts.items()) if scanner in one}
        rows += [(scanner, name, one) for name, one in shown.items()]
    return rows, trial.members(names)
