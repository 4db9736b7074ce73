"""A schema with a loader that skops does not have."""

from persistbench.backends import Backend
from persistbench.trials.attack.payloads import MARKER, Shape
from persistbench.trials.attack.payloads._schema import hide, is_skops, node, several, text


def _craft(backend: Backend, path: str) -> None:
    arguments = several(text(MARKER), text("x"))
    hide(backend, path, inverse_func=node("CallNode", "builtins", "open", content=arguments))


SHAPES = (Shape("skops-unknown-loader", _craft, is_skops),)
