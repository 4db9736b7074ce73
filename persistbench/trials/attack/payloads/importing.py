"""A class whose module does something when it is imported: to name it is enough."""

from importlib import import_module
from typing import Any

from persistbench.trials.attack.payloads import MARKER, Saved, Shape, carrier

_NAME = "persistbench_payload"

_SOURCE = f'''
from pathlib import Path

class Plain:
    """Does nothing."""

Path({MARKER!r}).touch()
'''


def _make() -> Any:
    return carrier(import_module(_NAME).Plain())


SHAPES = (Shape("import", Saved(_make), modules=((_NAME, _SOURCE),)),)
