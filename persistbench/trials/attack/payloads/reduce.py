"""An object that is saved as a call: pickle's own extension point, in two ways to call."""

from functools import partial
from typing import Any

from persistbench.trials.attack.payloads import MARKER, Saved, Shape, carrier


class _Call:
    """Says of itself that it is made by a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def _make(function: Any, *arguments: Any) -> Any:
    return carrier(_Call(function, *arguments))


SHAPES = (
    Shape("reduce-exec", Saved(partial(_make, exec, f"open({MARKER!r}, 'x').close()"))),
    Shape("reduce-open", Saved(partial(_make, open, MARKER, "x"))),
)
