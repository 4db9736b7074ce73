"""A class of the victim's own whose ``__setstate__`` acts on what it is given."""

from pathlib import Path
from typing import Any

from persistbench.trials.attack.payloads import MARKER, Saved, Shape, carrier


class Toucher:
    """Touches the file that its state names, as others open a file or a connection."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the name of the marker."""
        return {"path": MARKER}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Touch it."""
        Path(state["path"]).touch()


def _make() -> Any:
    return carrier(Toucher())


SHAPES = (Shape("setstate", Saved(_make)),)
