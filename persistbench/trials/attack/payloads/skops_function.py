"""A schema of the oldest protocol, whose functions have two names: one is said, one is loaded."""

from persistbench.backends import Backend
from persistbench.trials.attack.payloads import Shape, function
from persistbench.trials.attack.payloads._schema import hide, is_skops, node


def _craft(backend: Backend, path: str) -> None:
    loaded = {"module_path": function.__name__, "function": function.touch.__name__}
    said = "scipy.special._ufuncs", "expit"  # which skops trusts by itself
    hide(backend, path, protocol=0, func=node("FunctionNode", *said, content=loaded))


SHAPES = (Shape("skops-function-lie", _craft, is_skops),)
