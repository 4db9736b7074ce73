"""A pickle for a list of names: listed ones with hostile arguments, and one reached by a dot."""

import io
import pickle
from typing import Any

from persistbench.backends import Backend
from persistbench.trials.attack.payloads import MARKER, Saved, Shape, carrier, has_list


def _pickled_by_list(backend: Backend) -> bool:
    return has_list(backend) and backend.extension == ".pkl"


def _listed() -> Any:
    import numpy as np
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    step = FunctionTransformer(np.mean, kw_args={"out": MARKER})
    return Pipeline([("step", step)], memory=MARKER)


def _dotted(backend: Backend, path: str) -> None:
    """Call what a listed module has imported, and forget the result; then comes the estimator."""
    call = io.BytesIO()
    call.write(pickle.PROTO + bytes([5]))
    arguments = (MARKER, "uint8", "w+", 0, (1,))
    for text in ("sklearn.preprocessing._data", "np.memmap"):
        call.write(pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode())
    call.write(pickle.STACK_GLOBAL)
    call.write(pickle.dumps(arguments, protocol=2)[2:-1])  # without its beginning and its end
    call.write(pickle.REDUCE + pickle.POP)
    with open(path, "wb") as file:
        file.write(call.getvalue() + pickle.dumps(carrier(None), protocol=5))


SHAPES = (
    Shape("listed-arguments", Saved(_listed), _pickled_by_list),
    Shape("dotted-name", _dotted, _pickled_by_list),
)
