"""ONNX: the pipeline's arithmetic as a graph in float32; it runs without scikit-learn."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from numbers import Real
from typing import Any

from persistbench.backends import Backend, Claims, Inspect
from persistbench.errors import UnsupportedError
from persistbench.outcomes import explain

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

EXACT = 2**24
"""Single precision holds all integers below this one."""


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
        try:
            # By position: skl2onnx gives an input another name where a column's is no identifier.
            pairs = zip(self._inputs, _columns(X), strict=True)
            feed = {name: _fed(values, kind) for (name, kind), (_, values) in pairs}
        except Exception as error:
            reason = f"our check cannot give these rows to a graph: {explain(error)}"
            raise UnsupportedError(reason) from error
        return self._session.run([output], feed)[0]


@dataclass(frozen=True)
class Onnx(Backend):
    """``skl2onnx.to_onnx`` converts to float32, onnxruntime runs on one thread of the CPU.

    Integers that float32 cannot hold reach the graph as int64.

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
        """Return the estimator and the types of its columns, ours and those of skl2onnx.

        Raises:
            UnsupportedError: our check has no type for a column.
        """
        try:
            return estimator, _types(rows)
        except UnsupportedError:
            raise
        except Exception as error:
            reason = f"our check cannot tell the types of the columns: {explain(error)}"
            raise UnsupportedError(reason) from error

    def dump(self, payload: Any, path: str) -> None:
        estimator, types = payload
        graph = _graph(estimator, types)
        graph.metadata_props.add(key=_ONLY, value=_only_method(estimator))
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


def _only_method(estimator: Any) -> str:
    """Return the method that a graph with one output answers.

    A selector of columns that also predicts, such as RFE, is converted as a selector.
    """
    selects = hasattr(estimator, "get_support")
    return "predict" if hasattr(estimator, "predict") and not selects else "transform"


def _graph(estimator: Any, types: Any) -> Any:
    """Return the graph of an estimator with the first types that skl2onnx accepts.

    A graph that cuts fractions off is taken only if no other types give a graph.

    Raises:
        Exception: of skl2onnx, what it says to the first types, if it accepts none.
    """
    refusals, cutting = [], []
    for one in types:
        try:
            graph = _converted(estimator, one)
        except Exception as error:
            refusals.append(error)
            continue
        if not _cuts_fractions(graph):
            return graph
        cutting.append(graph)
    if cutting:
        return cutting[0]
    raise refusals[0]


def _cuts_fractions(model: Any) -> bool:
    """Return whether a graph makes a column of floats one of integers, like a column beside it.

    skl2onnx gives columns that go into one step the type of the first of them.
    """
    from onnx import TensorProto

    kinds = {one.name: one.type.tensor_type.elem_type for one in model.graph.input}
    if TensorProto.INT64 not in kinds.values():
        return False
    floats = {name for name, kind in kinds.items() if kind != TensorProto.INT64}
    return any(
        node.op_type == "Cast"
        and node.input[0] in floats
        and any(one.name == "to" and one.i == TensorProto.INT64 for one in node.attribute)
        for node in model.graph.node
    )


def _converted(estimator: Any, types: Any) -> Any:
    """Return the graph of an estimator whose inputs have these types."""
    import skl2onnx
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    # Lower case without a locale that servers often lack (en_US.UTF-8): what is lost is the
    # lower case of letters outside ASCII.
    options: dict[Any, Any] = {kind: {"locale": "C"} for kind in (CountVectorizer, TfidfVectorizer)}
    # Probabilities as an array, not as a list of dictionaries; not every converter knows that.
    plain = options | {id(estimator): {"zipmap": False}}
    try:
        return skl2onnx.to_onnx(estimator, initial_types=types, options=plain)
    except NameError:  # so skl2onnx says that an option is none of this estimator's
        return skl2onnx.to_onnx(estimator, initial_types=types, options=options)


def _types(rows: Any) -> Any:
    """Return names and types of the inputs, in the order in which they are tried.

    There is one input for each column of a table, else one in all.

    1. Floats of single precision for all numbers and booleans, which more converters accept.
       Integers that these floats cannot hold stay integers.
    2. Floats of single precision for all numbers: some converters accept no integers.
    3. The types that skl2onnx guesses.

    Raises:
        UnsupportedError: our check has no type for a column.
    """
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    inputs, kinds = [], []
    for name, values in _columns(rows):
        inputs.append((name, [None, *values.shape[1:]]))
        if _holds_texts(name, values):
            kinds.append((StringTensorType,) * 3)
        else:
            first = Int64TensorType if _needs_integers(values) else FloatTensorType
            kinds.append((first, FloatTensorType, _guess(values)))
    choices = dict.fromkeys(zip(*kinds, strict=True))  # no types are tried twice
    return [
        [(name, kind(shape)) for (name, shape), kind in zip(inputs, choice, strict=True)]
        for choice in choices
    ]


def _needs_integers(values: Any) -> bool:
    """Return whether an array holds integers so large that single precision skips some.

    What is only near such integers counts, too: the fit may have met the integers between.
    """
    import numpy as np

    if values.dtype.kind not in "iu" or not values.size:
        return False
    low, high = int(values.min()), int(values.max())
    return max(-low, high) >= EXACT and high <= np.iinfo(np.int64).max


def _guess(values: Any) -> Any:
    """Return the class of the type that skl2onnx itself guesses for an array of numbers."""
    from skl2onnx.common.data_types import guess_data_type

    ((_, guess),) = guess_data_type(values[:1])
    return type(guess)


def _columns(rows: Any) -> list[tuple[str, Any]]:
    """Return name and array of each input: a column of a table, shape (n_rows, 1), or all rows."""
    import numpy as np

    if hasattr(rows, "columns"):
        return [(str(name), _values(rows[name]).reshape(-1, 1)) for name in rows.columns]
    if isinstance(rows, list) and all(isinstance(row, str) for row in rows):
        return [(_ALL, np.array(rows, dtype=object).reshape(-1, 1))]
    return [(_ALL, rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows))]


def _values(column: Any) -> Any:
    """Return the values of a column of pandas or polars, shape (n_rows,).

    Numbers and booleans among missing values become floats; other objects stay objects.
    """
    import numpy as np

    if isinstance(column.dtype, np.dtype) and not column.dtype.hasobject:
        return column.to_numpy()
    values = list(column)
    there = [value for value in values if not _missing(value)]
    if there and all(isinstance(value, Real | np.bool_) for value in there):
        return np.array([np.nan if _missing(value) else value for value in values])
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def _missing(value: Any) -> bool:
    """Return whether a value is None, NaN, pandas.NA or pandas.NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value


def _holds_texts(name: str, values: Any) -> bool:
    """Return whether a column holds texts; else it holds numbers or booleans.

    Raises:
        UnsupportedError: it holds something else.
    """
    if values.dtype.kind in "biufUS":
        return values.dtype.kind in "US"
    unlike = (one for one in values.ravel().tolist() if not (isinstance(one, str) or _missing(one)))
    others = {type(value).__name__ for value in unlike}
    if values.dtype.hasobject and not others:
        return True
    held = ", ".join(sorted(others)) if values.dtype.hasobject else values.dtype
    raise UnsupportedError(f"our check has no ONNX type for column {name!r}, which holds {held}")


def _fed(values: Any, kind: str) -> Any:
    """Return an array as a graph wants it.

    Args:
        values: of the rows.
        kind: onnxruntime's name of the type, such as ``tensor(float)``.
    """
    import numpy as np

    name = kind.removeprefix("tensor(").removesuffix(")")
    if name == "string":
        return values.astype(object)
    own = {"float": np.float32, "double": np.float64, "bool": np.bool_}
    return values.astype(own.get(name) or np.dtype(name))


_ALL = "X"
"""The name of the only input, where rows are no table."""

_ONLY = "persistbench.method"
"""Key in the graph's metadata: the method that its only output answers."""

BACKENDS = (Onnx(),)
