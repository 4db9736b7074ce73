"""What backends and pipelines said of themselves when something was measured or tried with them.

``results/<machine>/about.jsonl``: a line for each backend and each pipeline, and another line when
one of them says something else. The report ranks by these claims: the file of a backend may have
changed since, or may be on another machine only.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from persistbench.records import jsonl

FILE = "about.jsonl"
"""In the machine's folder of results/; not .json, which asv would take for a result."""


class Backend(msgspec.Struct, frozen=True, kw_only=True, tag="backend", tag_field="about"):
    """What a backend says of itself; :class:`persistbench.backends.Claims` explains the claims.

    Attributes:
        id: the asv parameter and the key in records, such as ``pickle-5``.
        variant: whether it is one more level of a compressor whose usual levels are there, too.
        only_for_trials: whether trials show why nobody should use it.
        requires: the distributions that it needs.
        install: the command that installs them; empty if it needs none.
        date: when it was recorded, UTC; empty before it is.
        commit: of the suite, where the claims were read from its sources afterwards; else empty.
    """

    id: str
    returns: Literal["estimator", "predictor", "bytes"]
    executes_code: bool
    carries_code: bool
    memory_maps: bool
    audits: bool
    deterministic: bool
    tolerance: float
    restricted: bool = False
    variant: bool = False
    only_for_trials: bool = False
    requires: tuple[str, ...] = ()
    install: str = ""
    date: str = ""
    commit: str = ""


class Pipeline(msgspec.Struct, frozen=True, kw_only=True, tag="pipeline", tag_field="about"):
    """What a pipeline's file says of it.

    Attributes:
        name: the asv parameter and the key in records, such as ``small``.
        stresses: what it stresses, in one line.
        date: as of :class:`Backend`.
        commit: likewise.
    """

    name: str
    stresses: str
    date: str = ""
    commit: str = ""


class About(NamedTuple):
    """The newest word of each backend and each pipeline of one machine."""

    backends: dict[str, Backend] = {}
    pipelines: dict[str, Pipeline] = {}


def read(folder: Path) -> tuple[About, list[str]]:
    """Return what a machine's folder of results holds, and a sentence for what was left out.

    Args:
        folder: the machine's own, ``results/<machine>``.
    """
    path = folder / FILE
    if not path.is_file():
        return About({}, {}), []
    records, broken = jsonl.read_typed(path, _DECODER.decode)
    backends = {record.id: record for record in records if isinstance(record, Backend)}
    pipelines = {record.name: record for record in records if isinstance(record, Pipeline)}
    return About(backends, pipelines), broken


_DECODER = msgspec.json.Decoder(Backend | Pipeline)


def keep(folder: Path, subjects: Iterable[Backend | Pipeline], commit: str = "") -> None:
    """Append what was not recorded yet, or is not what was recorded last.

    Args:
        folder: the machine's own, ``results/<machine>``.
        subjects: what backends and pipelines say now, without a date.
        commit: of the suite, if it is not this one that says so.
    """
    known, _ = read(folder)
    said = [*known.backends.values(), *known.pipelines.values()]
    before = {msgspec.structs.replace(subject, date="", commit="") for subject in said}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    new = [
        msgspec.structs.replace(subject, date=date, commit=commit)
        for subject in subjects
        if subject not in before
    ]
    if new:
        jsonl.append(folder / FILE, new)
