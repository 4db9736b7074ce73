"""ONNX: the pipeline's arithmetic as a graph in float32; it runs without scikit-learn."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from persistbench.backends import Backend, Claims, Inspect
from persistbench.errors import UnsupportedError

_METHODS = {
    "label": "predict",
    "output_label": "predict",
    "probabilities": "predict_proba",
    "output_probability": "predict_proba",
    "scores": "decision_function",
    "transformed_column": "transform",
}
"""The method by skl2onnx's name of an output; ``variable`` is the name of any other output."""

LIMIT = 2**31
"""Bytes: the limit of a protocol buffer."""


class Predictor:
    """The result of a load: it has the methods whose outputs the graph computes."""

    def __init__(self, session: Any) -> None:
        """Read the methods from an ``onnxruntime.InferenceSession``."""
        self._session = session
        self._inputs = [(one.name, one.type) for one in session.get_inputs()]
        about = session.get_modelmeta().custom_metadata_map
        for output in session.get_outputs():
            method = _METHODS.get(output.name, about.get(_ONLY, "predict"))
            setattr(self, method, partial(self._run, output.name))

    def _run(self, output: str, X: Any) -> Any:
        import numpy as np

        if hasattr(X, "columns"):
            columns = {name: X[[name]].to_numpy() for name in X.columns}
        elif isinstance(X, list):
            columns = {self._inputs[0][0]: np.array(X, dtype=object).reshape(-1, 1)}
        else:
            dense = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
            columns = {self._inputs[0][0]: dense}
        feed = {
            name: columns[name].astype(object if "string" in kind else np.float32)
            for name, kind in self._inputs
        }
        return self._session.run([output], feed)[0]


@dataclass(frozen=True)
class Onnx(Backend):
    """``skl2onnx.to_onnx`` converts to float32, onnxruntime runs on one thread of the CPU.

    The conversion, to its newest opset, is part of the dump: a user pays it at every save.
    """

    requires = ("skl2onnx", "onnxruntime")
    extension = ".onnx"

    @property
    def id(self) -> str:
        return "onnx"

    @property
    def claims(self) -> Claims:
        # The accuracy of a probability after a few sums in float32; measured in each cell.
        # Two graphs of nearest neighbours differ in bytes, those of a linear model do not.
        return Claims(returns="predictor", executes_code=False, deterministic=False, tolerance=1e-4)

    @property
    def size_limit(self) -> str:
        return (
            "onnxruntime: max_mem of an arena that sessions share (session.use_env_allocators), "
            "when the graph runs; what it computes in advance at load is not limited"
        )

    def import_modules(self, shared: bool = False) -> None:
        import skl2onnx  # noqa: F401

        if not shared:
            _runtime()

    def payload(self, estimator: Any, rows: Any) -> Any:
        """Return the estimator and the types of its columns, which the graph names."""
        return estimator, _types(rows)

    def dump(self, payload: Any, path: str) -> None:
        import skl2onnx

        estimator, types = payload
        from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

        # Lower case without a locale that servers often lack (en_US.UTF-8): what is lost is the
        # lower case of letters outside ASCII.
        options: dict[Any, Any] = {
            kind: {"locale": "C"} for kind in (CountVectorizer, TfidfVectorizer)
        }
        # Probabilities as an array, not as a list of dictionaries; not every converter knows that.
        plain = options | {id(estimator): {"zipmap": False}}
        try:
            graph = skl2onnx.to_onnx(estimator, initial_types=types, options=plain)
        except NameError:  # so skl2onnx says that an option is none of this estimator's
            graph = skl2onnx.to_onnx(estimator, initial_types=types, options=options)
        use = "predict" if hasattr(estimator, "predict") else "transform"
        graph.metadata_props.add(key=_ONLY, value=use)
        if graph.ByteSize() >= LIMIT:
            raise UnsupportedError(
                f"the graph has {graph.ByteSize()} bytes, and a protocol buffer holds {LIMIT}"
            )
        with open(path, "wb") as file:
            file.write(graph.SerializeToString(deterministic=True))

    def load(self, path: str, mmap_mode: str | None = None) -> Predictor:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        onnxruntime = _runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # From bytes: names of external files in the graph lead nowhere.
        with open(path, "rb") as file:
            graph = file.read()
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return Predictor(session)

    def inspections(self) -> dict[str, Inspect]:
        return {"onnx.load": _read, "onnx.checker.check_model": _check}


@cache
def _runtime() -> Any:
    """Import onnxruntime and switch its telemetry off.

    The import still starts a thread and writes an id to ~/.cache; nothing is sent.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _read(path: str) -> list[str]:
    """Return the operators of the graph; the library comes with skl2onnx."""
    import onnx

    model = onnx.load(path)
    graphs = (model.graph, *model.functions)
    return sorted({name for graph in graphs for name in _operators(graph.node)})


def _operators(nodes: Any) -> Iterator[str]:
    """Yield the operators of a graph and of the graphs inside its nodes (If, Loop, Scan)."""
    for node in nodes:
        yield f"{node.domain or 'ai.onnx'}.{node.op_type}"
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _operators(graph.node)


def _check(path: str) -> str:
    """Check the graph by its path, so that the checker also sees external files.

    Raises:
        onnx.checker.ValidationError: the graph is not well formed.
    """
    import onnx

    onnx.checker.check_model(path)
    return "well formed"


def _types(rows: Any) -> Any:
    """Return names and types of the inputs: one for each column of a table, else one in all."""
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    if hasattr(rows, "columns"):
        kinds = {
            name: FloatTensorType if kind.kind in "fiu" else StringTensorType
            for name, kind in rows.dtypes.items()
        }
        return [(name, kind([None, 1])) for name, kind in kinds.items()]
    if isinstance(rows, list):
        return [("X", StringTensorType([None, 1]))]
    kind = StringTensorType if rows.dtype.kind in "OSU" else FloatTensorType
    return [("X", kind([None, *rows.shape[1:]]))]


_ONLY = "persistbench.method"
"""Key in the graph's metadata: the method that its only output answers."""

BACKENDS = (Onnx(),)
