"""A function of the victim's own, referenced by its name and called at the first use."""

from pathlib import Path
from typing import Any

from persistbench.trials.attack.payloads import MARKER, Saved, Shape


def touch(X: Any) -> Any:
    """Touch the marker and return the rows."""
    Path(MARKER).touch()
    return X


def _make() -> Any:
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(touch)


SHAPES = (Shape("function", Saved(_make)),)
