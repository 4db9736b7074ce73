"""A schema that says of an object's method that it is another class's.

Up to skops 0.11 what was said and what was loaded could differ (CVE-2025-54413). Honestly it is
the shape ``bound-method``.
"""

from persistbench.backends import Backend
from persistbench.trials.attack.payloads import MARKER, Shape
from persistbench.trials.attack.payloads._schema import hide, is_skops, node, several, text


def _craft(backend: Backend, path: str) -> None:
    where = node("ConstructorFromReduceNode", "pathlib", "PosixPath", content=several(text(MARKER)))
    content = {"func": "write_bytes", "obj": where}
    scaler = "sklearn.preprocessing._data", "StandardScaler"
    hide(backend, path, func=node("MethodNode", *scaler, content=content))


SHAPES = (Shape("skops-method-lie", _craft, is_skops),)
