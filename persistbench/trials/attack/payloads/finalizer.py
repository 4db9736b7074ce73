"""A class of the victim's own that acts when an object of it is let go."""

from pathlib import Path
from typing import Any

from persistbench.trials.attack.payloads import MARKER, Saved, Shape, carrier


class Toucher:
    """Touches the file that it was given, as others close or remove one."""

    def __init__(self) -> None:
        """Remember the marker."""
        self.path = MARKER

    def __del__(self) -> None:
        """Touch it."""
        Path(self.path).touch()


def _make() -> Any:
    return carrier(Toucher())


SHAPES = (Shape("finalizer", Saved(_make)),)
