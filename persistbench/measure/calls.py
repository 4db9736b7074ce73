"""First calls of cells: what is called, and beside what."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from persistbench import backends
from persistbench.backends import REFERENCE
from persistbench.cases import catalogue
from persistbench.cells.cell import Cell
from persistbench.measure import actions
from persistbench.measure.first_call import Call, Subject
from persistbench.measure.look import Group

TINY = "small"
"""The pipeline that goes through a backend before the call that counts."""


def call(cell: Cell, dumps: bool = False, uses: bool = False) -> Call:
    """Return the first call of a right cell.

    Args:
        cell: mapped if its artifact is to be mapped.
        dumps: whether the pipeline is dumped, to a new file in the working directory; else a copy
            of the artifact is loaded that lies there.
        uses: whether the held-out rows are predicted after the load.
    """
    tiny = Cell(catalogue.get(TINY), cell.backend)
    warm = str(tiny.artifact) if tiny.examine().same else ""
    names = tuple({*cell.pipeline.trusted, *tiny.pipeline.trusted})
    fitted = cell.fitted
    use = fitted.load_reference().first_use if uses else ""
    rows = str(fitted.rows) if dumps or uses else ""
    subject = Subject(cell.pipeline.name, str(fitted.estimator), rows)
    how = (dumps, cell.mapped, use, subject)
    return Call(cell.backend.id, _path(cell, dumps), warm, names, *how)


def beside_reference(several: Sequence[Cell], dumps: bool = False, uses: bool = False) -> Group:
    """Return the calls of cells of one pipeline, to be made beside those of the reference.

    Args:
        several: right cells.
        dumps: see :func:`call`.
        uses: likewise.
    """
    own = {cell.backend.id: call(cell, dumps, uses) for cell in several}
    reference = Cell(several[0].pipeline, backends.get(REFERENCE))
    right = REFERENCE in own or reference.examine().same
    needed = [*several, reference] if right else list(several)
    other = call(reference, dumps, uses) if right else None
    return Group(several[0].pipeline.name, own, other, partial(_copies, needed, dumps))


def beside_own_load(several: Sequence[Cell], uses: bool = False) -> list[Group]:
    """Return for each mapped cell of one pipeline its call, to be made beside its ordinary load.

    Args:
        several: right cells, mapped.
        uses: see :func:`call`.
    """
    result = []
    for cell in several:
        own = call(cell, uses=uses)
        other = replace(own, mapped=False)
        around = partial(_copies, [cell], False)
        result.append(Group(cell.pipeline.name, {cell.backend.id: own}, other, around))
    return result


def _path(cell: Cell, dumps: bool) -> str:
    return str(Path("artifact" if dumps else cell.artifact.name).absolute())


def _copies(several: Sequence[Cell], dumps: bool) -> "actions.Copies":
    artifacts = [] if dumps else several
    return actions.just_written([(str(cell.artifact), _path(cell, False)) for cell in artifacts])
