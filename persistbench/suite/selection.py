"""Which questions and cells a run asks, as the arguments of `asv run`."""

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from persistbench import backends
from persistbench.cases import catalogue
from persistbench.errors import UserError
from persistbench.records.run import Cells

QUICK = ("audit", "dump", "label_changes", "load", "mmap.Map", "size")
"""What the names of the questions begin with that are asked unless all are wanted."""

MAPPED = "mmap"
"""The file of questions that are asked, too, but of backends that map alone: others say why not
when they are asked for the map itself."""

VARIABLE = "PERSISTBENCH_ASK"
"""Environment variable: what a plain `asv run` asks beyond the usual. ``all``: all questions;
``levels``: all levels of each compressor; both with a space between."""


class Wish(NamedTuple):
    """What the reader has written.

    Attributes:
        arguments: handed to `asv run`.
        pipelines: names to narrow the grid to; empty for all.
        backends: likewise.
        every: all questions, and not only those of :data:`QUICK`.
        levels: all levels of each compressor, and not only the usual ones.
        new: only pipelines and backends without any figure from this machine and environment.
    """

    arguments: Sequence[str] = ()
    pipelines: Sequence[str] = ()
    backends: Sequence[str] = ()
    every: bool = False
    levels: bool = False
    new: bool = False

    @property
    def own(self) -> bool:
        """Whether asv's own arguments choose the benchmarks."""
        return any(argument.startswith(("-b", "--bench")) for argument in self.arguments)


class Selection(NamedTuple):
    """What a run asks.

    Attributes:
        arguments: of `asv run`, after those of the reader.
        in_advance: the cells that are examined before anything is measured.
    """

    arguments: tuple[str, ...]
    in_advance: Cells = Cells()


def check(wish: Wish) -> None:
    """Name what is unknown or cannot go together, before anything starts.

    Raises:
        UserError: there is something to name.
    """
    catalogue.discover()
    backends.discover()
    names = [catalogue.get(one).name for one in wish.pipelines]
    names += [backends.get(one).id for one in wish.backends]
    if names and wish.new:
        raise UserError("--new finds out itself what to measure: leave --pipeline and --backend.")
    if wish.own and (names or wish.new):
        raise UserError(
            "--pipeline, --backend and --new do not go with asv's --bench: write all in one "
            "expression, such as -b \"time_load.*'small', 'joblib'\"."
        )


def select(wish: Wish, results: Path, machine: str) -> Selection | None:
    """Return what is asked; None if only what is new is wanted, and nothing is.

    Args:
        wish: of the reader.
        results: asv's results folder.
        machine: asv's name of this machine.
    """
    # What is new, or chosen by asv's own arguments, is examined cell by cell when it is asked.
    if wish.own:
        return Selection(())
    if wish.new:
        cells = unmeasured(results, machine, environments(wish.arguments))
        return Selection(_bench(cells, wish.every)) if cells else None
    usual = wish.backends or _backends(wish.levels)
    in_advance = Cells(wish.pipelines or list(catalogue.discover()), usual)
    return Selection(_bench([(wish.pipelines, usual)], wish.every), in_advance)


def usual(words: Sequence[str]) -> tuple[str, Cells]:
    """Return the expression of what a plain `asv run` asks, and the cells to examine in advance.

    Args:
        words: of the environment variable.

    Raises:
        UserError: a word is none.
    """
    for word in words:
        if word not in ("all", "levels"):
            raise UserError(f"{VARIABLE} may be all, levels, or both, not {word!r}.")
    chosen = select(Wish(every="all" in words, levels="levels" in words), Path(), "")
    return (chosen.arguments[-1], chosen.in_advance) if chosen else ("", Cells())


Narrowed = tuple[Sequence[str], Sequence[str]]
"""Names of pipelines and of backends; no names are all."""


def unmeasured(results: Path, machine: str, names: Iterable[str]) -> list[Narrowed]:
    """Return the cells of what has no figure yet; none if nothing is new.

    Args:
        results: asv's results folder.
        machine: asv's name of it.
        names: of the environments that asv is going to measure in.
    """
    from persistbench.records.collect import collect

    here = [
        figure
        for figure in collect(results).figures
        if figure.machine == machine
        and figure.environment in set(names)
        and figure.status != "not run"
        and not figure.scaled
    ]
    pipelines = catalogue.discover().keys() - {figure.pipeline for figure in here}
    usual = _backends(levels=False)
    backend_ids = set(usual) - {figure.backend for figure in here}
    parts: list[Narrowed] = [(sorted(pipelines), usual)] if pipelines else []
    parts += [([], sorted(backend_ids))] if backend_ids else []
    return parts


def environments(arguments: Sequence[str]) -> set[str]:
    """Return the names of the environments that asv is going to measure in.

    Args:
        arguments: of `asv run`.
    """
    from asv.commands.common_args import add_environment
    from asv.config import Config
    from asv.environment import get_environments

    import persistbench.suite.environment  # noqa: F401 (then asv knows this type of environment)

    parser = argparse.ArgumentParser(add_help=False)
    add_environment(parser)
    chosen, _ = parser.parse_known_args(arguments)
    result = get_environments(Config.load("asv.conf.json"), chosen.env_spec, verbose=False)
    return {environment.name for environment in result}


def _backends(levels: bool) -> list[str]:
    """Return all backends, without further levels of a compressor unless they are wanted."""
    known = backends.discover().items()
    return [name for name, backend in known if levels or not backend.variant]


def _expression(pipelines: Iterable[str], backend_ids: Iterable[str]) -> str:
    """Return the regular expression for the cells with these names; none are all."""
    # asv joins several --bench by "or"; a cell's two names have to be joined by "and".
    names = [
        "|".join(re.escape(name) for name in chosen) or ".*" for chosen in (pipelines, backend_ids)
    ]
    return rf"\('({names[0]})', '({names[1]})'\)"


def _bench(cells: Sequence[Narrowed], every: bool) -> tuple[str, str]:
    """Return the arguments that narrow asv to the questions and to these cells."""
    known = backends.discover()
    mapping = [
        (pipelines, [name for name in own or known if known[name].claims.memory_maps])
        for pipelines, own in cells
    ]
    parts = [("" if every else rf"^({'|'.join(map(re.escape, QUICK))})\.", cells)]
    if not every:
        parts.append((rf"^{MAPPED}\.", [part for part in mapping if part[1]]))
    expressions = [
        f"{question}.*({'|'.join(_expression(*part) for part in own)})"
        for question, own in parts
        if own
    ]
    return "--bench", "|".join(expressions)
