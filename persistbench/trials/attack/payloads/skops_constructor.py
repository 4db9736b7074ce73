"""A schema that names a constructor: honestly, and behind the back of a class that is listed.

A tree's entry once named its constructor itself, which was called without being asked about.
"""

from persistbench.backends import Backend
from persistbench.trials.attack.payloads import MARKER, Shape
from persistbench.trials.attack.payloads._schema import hide, is_skops, node, nothing, several, text


def _honest(backend: Backend, path: str) -> None:
    arguments = several(text(MARKER), text("x"))
    constructor = node("ConstructorFromReduceNode", "io", "FileIO", content=arguments)
    hide(backend, path, inverse_func=constructor)


def _lie(backend: Backend, path: str) -> None:
    reduce = {
        "args": several(text(MARKER), text("x")),
        "constructor": node("TypeNode", "builtins", "open"),
    }
    tree = node("TreeNode", "sklearn.tree._tree", "Tree", __reduce__=reduce, content=nothing())
    hide(backend, path, inverse_func=tree)


SHAPES = (
    Shape("skops-constructor", _honest, is_skops),
    Shape("skops-constructor-lie", _lie, is_skops),
)
