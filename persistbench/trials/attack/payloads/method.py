"""Methods that every Python has, called at the first use: on a path, and by name on the rows."""

import operator
from pathlib import Path
from typing import Any

from persistbench.trials.attack.payloads import MARKER, Saved, Shape, has_list


def _bound() -> Any:
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(Path(MARKER).write_bytes)


def _named() -> Any:
    from sklearn.preprocessing import FunctionTransformer

    return FunctionTransformer(operator.methodcaller("tofile", MARKER))


SHAPES = (
    Shape("bound-method", Saved(_bound)),
    Shape("methodcaller", Saved(_named)),
    # Pipelines of sparse rows have methodcaller("toarray"), and so have their lists.
    Shape("methodcaller-admitted", Saved(_named), has_list, admits=("operator.methodcaller",)),
)
