"""The parts of the page, one file each, found by discovery.

A section's file defines ``ORDER`` (its position on the page), ``TITLE`` and
``render(table)``. ``render`` returns its HTML, or None if the records that it shows do not exist
yet. ``SHOWS`` and ``TRIALS`` say what it shows, see :mod:`persistbench.report.measured`.
It may define ``pictures(table)``: the charts that README and docs show, by name.
The file's name is the section's address on the page.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType


def discover() -> Iterator[ModuleType]:
    """Yield the sections in the order of the page."""
    result = [import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    yield from sorted(result, key=lambda section: section.ORDER)
