"""Bombs that are graphs: crafted from the graph that a backend has saved, if it has saved one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from persistbench.backends import Backend
from persistbench.errors import UnsupportedError

FLOATS = 250_000_000
"""Numbers of 4 bytes in 1 GB."""

KNOWN = (1234.5, 6789.25)
"""What stands in the file outside, as single precision numbers."""

OUTSIDE = "outside"
"""The file that no artifact should be able to read: one folder above it."""


def changed(data: bytes, change: Callable[[Any], Any]) -> bytes:
    """Return an ONNX graph after a change of its model.

    Raises:
        UnsupportedError: these bytes are no such graph.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError as error:
        raise UnsupportedError(_NONE) from error
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise UnsupportedError(_NONE) from error
    if not model.graph.node:
        raise UnsupportedError(_NONE)
    change(model)
    return bytes(model.SerializeToString())


def claiming(data: bytes, count: int, claimed: int) -> bytes:
    """Return a graph that says of its arrays of so many rows that they have more numbers."""

    def change(model: Any) -> None:
        for array in model.graph.initializer:
            if count in array.dims:
                del array.dims[:]
                array.dims.append(claimed)

    return changed(data, change)


def allocating(data: bytes, at_use: bool) -> bytes:
    """Return a graph that fills 1 GB to add it to its input.

    Args:
        data: the graph whose input and output it has.
        at_use: whether what is filled depends on the input, so that nothing can be computed
            before there is one.
    """
    from onnx import TensorProto, helper

    def change(model: Any) -> None:
        entry, exit_ = _emptied(model)
        how = [
            helper.make_node("ReduceSum", [entry], ["seed"], keepdims=0),
            helper.make_node("Expand", ["seed", "shape"], ["filled"]),
        ]
        if not at_use:
            how = [helper.make_node("ConstantOfShape", ["shape"], ["filled"])]
        shape = helper.make_tensor("shape", TensorProto.INT64, [1], [FLOATS])
        model.graph.initializer.append(shape)
        total = helper.make_node("ReduceSum", ["filled"], ["total"], keepdims=0)
        model.graph.node.extend([*how, total, helper.make_node("Add", [entry, "total"], [exit_])])

    return changed(data, change)


def external(data: bytes, location: str) -> bytes:
    """Return a graph that adds numbers from another file to its input."""
    from onnx import TensorProto, helper

    def change(model: Any) -> None:
        entry, exit_ = _emptied(model)
        array = TensorProto(name="read", data_type=TensorProto.FLOAT, dims=[len(KNOWN)])
        array.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("length", str(4 * len(KNOWN)))):
            entry_ = array.external_data.add()
            entry_.key, entry_.value = key, value
        model.graph.initializer.append(array)
        model.graph.node.append(helper.make_node("Add", [entry, "read"], [exit_]))

    return changed(data, change)


def check(path: str) -> None:
    """Look at a graph before it is loaded: the checker of the library, by the file's name."""
    import onnx

    onnx.checker.check_model(path)


def ways_outside(path: str, answer: Any) -> dict[str, bool]:
    """Return by which way the bytes of the file outside come back.

    Args:
        path: of the artifact.
        answer: what the backend's predictor has answered to zeros; None if it has not.
    """
    import numpy as np
    import onnx
    import onnxruntime

    def session() -> Any:
        opened = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return opened.run(None, {opened.get_inputs()[0].name: np.zeros((1, 2), np.float32)})[0]

    def graph() -> Any:
        (array,) = onnx.load(path).graph.initializer
        return onnx.numpy_helper.to_array(array)

    ways = {"load": lambda: answer, "InferenceSession(path)": session, "onnx.load(path)": graph}
    return {name: _read(way) for name, way in ways.items()}


def _read(way: Callable[[], Any]) -> bool:
    import numpy as np

    try:
        return bool(np.array_equal(np.ravel(way()), np.array(KNOWN, np.float32)))
    except Exception:
        return False


def plant(artifact: str) -> Path:
    """Write the file outside, a folder above the artifact."""
    import numpy as np

    path = Path(artifact).parents[1] / OUTSIDE
    path.write_bytes(np.array(KNOWN, np.float32).tobytes())
    return path


def _emptied(model: Any) -> tuple[str, str]:
    """Take out what a graph computes; return the names of its first input and output."""
    graph = model.graph
    del graph.node[:], graph.initializer[:], graph.output[1:]
    graph.output[0].type.CopyFrom(graph.input[0].type)
    return graph.input[0].name, graph.output[0].name


def dumped(backend: Backend, path: str) -> bytes:
    """Return what a backend has saved, if that can be a graph.

    Raises:
        UnsupportedError: it saves no graphs.
    """
    if backend.claims.returns != "predictor":
        raise UnsupportedError(_NONE)
    return Path(path).read_bytes()


_NONE = "its artifact is no ONNX graph"
