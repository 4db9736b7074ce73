"""Where the bytes of a pipeline go."""

import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from persistbench import Case, backends
from persistbench.errors import UserError
from persistbench.measure import steps
from persistbench.records.steps import Step, advice

PICKLE = backends.get("pickle-5")


class Holder:
    """An object that is no estimator."""

    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


class Slots:
    """An object whose attributes lie in slots."""

    __slots__ = ("array", "empty")


class Bomb:
    """An object whose load does something to its process."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __setstate__(self, state: dict[str, str]) -> None:
        if state["kind"] == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if state["kind"] == "hang":
            time.sleep(600)
        if state["kind"] == "exit":
            sys.exit(0)
        if state["kind"] == "_exit":
            os._exit(3)
        if state["kind"] == "memory":
            self.taken = np.ones(10**10)
        if state["kind"] == "raise":
            raise OSError("no\x1b[2J screen")
        if state["kind"] == "warn":
            warnings.warn("another\x1b[2J version", stacklevel=1)
        vars(self).update(state)


class CrashesLater(Holder):
    """An object whose save crashes in a process that has loaded it."""

    def __getstate__(self) -> object:
        if self.armed:
            os.kill(os.getpid(), signal.SIGSEGV)
        return vars(self)

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state, armed=True)


def rows_of(held: object) -> dict[str, Step]:
    """Return the steps of an object by their names."""
    return {step.step: step for step in steps.costs(held, PICKLE)}


def saved(held: object, tmp_path: Path) -> Path:
    """Return the path of an object's artifact."""
    PICKLE.dump(held, str(tmp_path / "held"))
    return tmp_path / "held"


def refusal(path: Path, backend: str = "pickle-5", names: tuple[str, ...] = ()) -> str:
    """Return the sentence on an artifact that is not shown."""
    with pytest.raises(UserError) as caught:
        steps.of_artifact(path, backends.get(backend), names, trusted=True)
    return str(caught.value)


@pytest.fixture
def artifact(case: Case, tmp_path: Path) -> Path:
    """A pipeline of two steps, saved by pickle-5."""
    PICKLE.dump(case.estimator, str(tmp_path / "artifact"))
    return tmp_path / "artifact"


def test_each_step_is_saved_alone() -> None:
    """The neighbours hold the bytes; the advice names them and their array."""
    X = np.random.default_rng(0).standard_normal((2_000, 10))
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(algorithm="brute"))
    scaler, neighbours = steps.costs(model.fit(X, X[:, 0] > 0), PICKLE)
    assert (scaler.step, scaler.kind) == ("standardscaler", "StandardScaler")
    assert neighbours.largest == "_fit_X"
    assert neighbours.bytes is not None
    assert neighbours.bytes > X.nbytes
    assert neighbours.bytes - X.nbytes < 25_000
    sentence = advice([scaler, neighbours])
    assert sentence.startswith("kneighborsclassifier (KNeighborsClassifier) holds 100% of")
    assert "most of it in _fit_X" in sentence


def test_step_that_cannot_be_saved_has_no_size(case: Case) -> None:
    """The other steps have a size all the same."""
    case.estimator[0].function_ = lambda: None
    first, second = steps.costs(case.estimator, PICKLE)
    assert first.bytes is None
    assert second.bytes


def test_pickle_is_opened_only_if_it_is_trusted(artifact: Path) -> None:
    """A file that may run code needs a word of the reader."""
    with pytest.raises(UserError, match="--trusted"):
        steps.of_artifact(artifact, PICKLE, (), trusted=False)
    size, result = steps.of_artifact(artifact, PICKLE, (), trusted=True)
    assert size == artifact.stat().st_size
    assert [step.step for step in result] == ["standardscaler", "logisticregression"]


def test_file_that_cannot_be_loaded_is_one_sentence(tmp_path: Path) -> None:
    """The exception is in it."""
    (tmp_path / "nonsense").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be loaded with pickle-5: UnpicklingError"):
        steps.of_artifact(tmp_path / "nonsense", PICKLE, (), trusted=True)


def test_dict_of_a_model_and_its_columns_is_shown(case: Case, tmp_path: Path) -> None:
    """The keys are steps, and so are the steps of the model."""
    path = saved({"model": case.estimator, "columns": ["a", "b"], "rows": 3}, tmp_path)
    _, result = steps.of_artifact(path, PICKLE, (), trusted=True)
    assert [(step.step, step.kind) for step in result] == [
        ("model.standardscaler", "StandardScaler"),
        ("model.logisticregression", "LogisticRegression"),
        ("columns", "list"),
        ("rows", "int"),
    ]
    assert all(step.bytes for step in result)


@pytest.mark.parametrize(
    ("wrap", "names"),
    [
        (lambda one: [one, 1], ["0", "1"]),
        (lambda one: (one, None), ["0", "1"]),
        (lambda one: {"all": [one, 2], "y": [1, 2]}, ["all.0", "all.1", "y"]),
        (lambda one: {"all": {"a": {"b": one}, "c": one}}, ["all.a", "all.c"]),
        (lambda one: {1: one, (2, "x"): None}, ["1", "(2, 'x')"]),
        (lambda one: [[one], [[one]]], ["0.0", "1"]),
        (lambda one: Holder(model=one), ["holder"]),
        (lambda one: Holder(steps=[1, 2]), ["holder"]),
        (lambda one: Pipeline([("a", "passthrough"), ("b", one)]), ["a", "b"]),
        (lambda _: {}, ["dict"]),
        (lambda _: None, ["nonetype"]),
        (lambda _: "text", ["str"]),
        (lambda _: np.zeros(3), ["ndarray"]),
        (lambda _: {1, 2}, ["set"]),
        (lambda _: Slots(), ["slots"]),
        (lambda _: StandardScaler, ["type"]),
    ],
)
def test_any_object_has_steps(wrap: Callable[[object], object], names: list[str]) -> None:
    """Items are steps; dicts and lists in them are entered once, for estimators."""
    assert list(rows_of(wrap(StandardScaler()))) == names


def test_slots_are_attributes() -> None:
    """The largest attribute may lie in a slot."""
    held = Slots()
    held.array = np.zeros(1_000)
    assert rows_of(held)["slots"].largest == "array"


def test_same_object_is_measured_once() -> None:
    """The second row has no size, and names the first; constants are no shared parts."""
    scaler = StandardScaler()
    result = rows_of({"model": scaler, "best": scaler, "a": None, "b": None, "c": "x", "d": "x"})
    assert result["best"].shared == ("model",)
    assert result["best"].bytes is None
    assert not any(result[name].shared for name in "abcd")
    assert all(result[name].bytes for name in "abcd")


def test_shared_part_counts_once() -> None:
    """The first holder has its bytes; the second says so. Also within one step."""
    array = np.random.default_rng(0).standard_normal(10_000)
    held = {"a": Holder(x=array, again=[array]), "b": Holder(y={"deep": array}, own=[1] * 500)}
    result = rows_of(held)
    assert result["a"].largest == "x"
    assert array.nbytes < result["a"].largest_bytes < array.nbytes + 500
    assert result["a"].shared == ()
    assert result["b"].largest == "own"
    assert result["b"].shared == ("a",)


def test_steps_that_refer_to_each_other_end() -> None:
    """Each is measured where it is a step."""
    a, b = Holder(array=np.zeros(1_000)), Holder(array=np.zeros(2_000))
    a.other, b.other, a.me = b, a, a
    result = rows_of([a, b])
    assert (result["0"].largest, result["1"].largest) == ("array", "array")
    assert (result["0"].shared, result["1"].shared) == (("1",), ("0",))


def test_pipeline_that_contains_itself_ends() -> None:
    """The inner pipeline is a row that names the outer one."""
    pipeline = Pipeline([("scale", StandardScaler()), ("self", None)])
    pipeline.steps[1] = ("self", pipeline)
    result = rows_of(pipeline)
    assert list(result) == ["scale", "self"]
    assert result["self"].shared == ("pipeline",)


@pytest.mark.parametrize("end", [list, dict])
def test_containers_that_contain_themselves_end(end: type) -> None:
    """A list or a dict in itself is a row."""
    held = end()
    if isinstance(held, list):
        held += [held, StandardScaler()]
    else:
        held |= {"0": held, "1": StandardScaler()}
    result = rows_of(held)
    assert list(result) == ["0", "1"]
    assert result["0"].shared == (end.__name__,)


@pytest.mark.parametrize("twice", [lambda x: [x, x], lambda x: (x, x), lambda x: {"a": x, "b": x}])
def test_sixty_layers_are_sixty_objects(twice: Callable[[object], object], tmp_path: Path) -> None:
    """Shared layers are visited once each; there are 2 ** 60 paths."""
    layers: object = StandardScaler()
    for _ in range(60):
        layers = twice(layers)
    assert len(steps.of_artifact(saved(layers, tmp_path), PICKLE, (), trusted=True)[1]) == 2
    (row,) = rows_of(Holder(layers=layers)).values()
    assert row.largest == "layers"
    assert row.largest_bytes < 5_000


def test_unpickled_attribute_spoils_no_other() -> None:
    """Its parts have their whole size elsewhere."""
    array = np.random.default_rng(0).standard_normal(10_000)
    held = Holder(first=[array, lambda: None], second=array, third=threading.Lock(), fourth=[1])
    (row,) = rows_of(held).values()
    assert row.bytes is None
    assert row.unpickled == ("first", "third")
    assert row.largest == "second"
    assert row.largest_bytes > array.nbytes
    assert row.shared == ()


def test_part_counts_once_before_and_after_a_failure() -> None:
    """What was counted before an unpickled attribute counts no more; tuples are parts, too."""
    array = np.random.default_rng(0).standard_normal(10_000)
    parts = (array,)
    held = {
        "a": Holder(x=parts, lock=threading.Lock(), y=[array], z=parts),
        "b": Holder(x=parts, small=[1] * 50, shape=(1, 1)),
        "c": Holder(small=[1] * 50, shape=(1, 1)),
    }
    result = rows_of(held)
    assert (result["a"].largest, result["a"].unpickled) == ("x", ("lock",))
    assert (result["b"].largest, result["b"].shared) == ("small", ("a",))
    assert result["c"].shared == ()


def test_deep_nesting_has_no_size(tmp_path: Path) -> None:
    """A list in a list, 100,000 times, is loaded and cannot be saved again."""
    path = tmp_path / "deep"
    path.write_bytes(b"\x80\x05" + b"]" * 100_000 + b"a" * 99_999 + b".")
    ((row,),) = [steps.of_artifact(path, PICKLE, (), trusted=True)[1]]
    assert (row.step, row.bytes, row.unpickled) == ("0", None, ("0",))


def test_deeply_nested_pipelines_end() -> None:
    """A pipeline in a pipeline, 5,000 times; its long name has no middle."""
    pipeline: object = StandardScaler()
    for _ in range(5_000):
        pipeline = Pipeline([("inner", pipeline)])
    ((name, row),) = rows_of(pipeline).items()
    assert row.kind == "StandardScaler"
    assert len(name) <= 200


def test_only_so_many_rows_are_shown(tmp_path: Path) -> None:
    """The limit is said."""
    path = saved({str(index): index for index in range(5_000)}, tmp_path)
    said: list[str] = []
    _, result = steps.of_artifact(path, PICKLE, (), trusted=True, say=said.append)
    assert len(result) == steps.ROWS
    assert said == ["There are more steps: the table and the advice are on the first 100."]


def test_limit_of_time_is_said(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured is shown, and the rest is counted."""
    clock = iter([0.0, 1e9])
    monkeypatch.setattr(steps, "now", lambda: next(clock))
    said: list[str] = []
    path = saved([case.estimator, 1], tmp_path)
    _, result = steps.of_artifact(path, PICKLE, (), trusted=True, say=said.append)
    assert [step.step for step in result] == ["0.standardscaler"]
    assert said == ["After 120 s, 2 steps are not measured: the advice is on the others."]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("crash", "gave no answer: ended by signal SIGSEGV"),
        ("hang", "gave no answer: not finished after 3 s"),
        ("exit", "gave no answer: ended without an answer, exit status 0"),
        ("memory", "cannot be loaded with pickle-5: MemoryError"),
        ("raise", "cannot be loaded with pickle-5: OSError: no\\x1b[2J screen"),
    ],
)
def test_load_that_does_harm_is_one_sentence(
    kind: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens in another process, which has limits."""
    if kind == "hang":
        monkeypatch.setattr(steps, "SECONDS", 3.0)
    sentence = refusal(saved({"model": Bomb(kind)}, tmp_path))
    assert reason in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("kind", ["exit", "_exit"])
def test_file_that_ends_its_process_is_not_to_be_trusted(kind: str, tmp_path: Path) -> None:
    """No library ends the process of a load: the file does."""
    sentence = refusal(saved({"model": Bomb(kind)}, tmp_path))
    assert sentence.endswith("; the file has ended its own process: do not trust it.")


@pytest.mark.parametrize("end", [0.5, 0.999])
@pytest.mark.parametrize(
    "backend",
    ["pickle-0", "pickle-5", "joblib", "joblib-xz-3", "pickle-5-gzip-1", "pickle-5-oob"],
)
def test_file_without_its_end_is_incomplete(backend: str, end: float, tmp_path: Path) -> None:
    """The backend is the right one: the sentence asks for the whole file."""
    path, chosen = tmp_path / "half", backends.get(backend)
    held = {"array": np.random.default_rng(0).standard_normal(2_000), "text": "x" * 500}
    chosen.dump(chosen.payload(held, None), str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(end * len(whole))])
    assert refusal(path, backend).endswith("; the file is incomplete: save or copy it again.")


@pytest.mark.parametrize(
    ("held", "closed"),
    [
        ({"a": {"b": {"c": StandardScaler()}}}, "a"),
        ({"a": {"b": {"c": 1}, "model": StandardScaler()}, "d": 1}, ""),
        ({"a": [[[StandardScaler()]]], "b": ({"c": 1},)}, "a, b"),
        ({"a": {"b": {"c": [{"d": 1}]}, "m": StandardScaler()}}, "a.b"),
        ({"a": {"b": StandardScaler()}, "columns": [["x"], ["y"]], "c": {"d": {}}}, ""),
    ],
)
def test_levels_that_are_not_shown_are_said(held: object, closed: str, tmp_path: Path) -> None:
    """A row of a dict or a list says nothing of the steps deeper in it; a sentence does."""
    said: list[str] = []
    steps.of_artifact(saved(held, tmp_path), PICKLE, (), trusted=True, say=said.append)
    sentence = f"The deeper levels of {closed} are not shown: save them as files of their own"
    assert said == ([f"{sentence} to see their steps."] if closed else [])


def test_step_that_crashes_is_named(tmp_path: Path) -> None:
    """A save may crash where the load did not."""
    path = saved({"good": 1, "bad": CrashesLater(armed=False)}, tmp_path)
    assert "The process that measured bad of" in refusal(path)
    assert "SIGSEGV" in refusal(path)


def test_wrong_backend_is_one_sentence(case: Case, tmp_path: Path) -> None:
    """The sentence says what to do."""
    path = saved(case.estimator, tmp_path)
    for backend in ("skops", "pickle-5-oob", "pickle-5-blosc2"):
        if backend in backends.discover() and not backends.get(backend).missing:
            sentence = refusal(path, backend)
            assert "cannot be loaded with" in sentence
            assert "name the backend that saved the file" in sentence


def test_file_that_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    """Nothing is opened, so nothing waits; each sentence says what to do."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert "is empty: save the pipeline again" in refusal(tmp_path / "empty")
    assert "is a folder: name the file" in refusal(tmp_path)
    assert "There is no file" in refusal(tmp_path / "absent")
    assert "check the path" in refusal(tmp_path / "loop")
    assert "check the path" in refusal(tmp_path / ("x" * 300))
    for path in (tmp_path / "pipe", Path(os.devnull), Path("/dev/zero")):
        assert "is a device, a pipe or a socket: copy" in refusal(path)


def test_file_without_permission_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the folder may not be looked into."""
    path = saved(1, tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "You may not read" in refusal(path)

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", forbidden)
        sentence = refusal(path)
    assert "You may not look into the folder" in sentence


def test_path_that_is_no_text_is_shown(tmp_path: Path) -> None:
    """A name that is not UTF-8, or steers a terminal, is printable in the sentence."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J"))
    assert refusal(path).isprintable()
    path.write_bytes(pickle.dumps([1]))
    assert steps.of_artifact(path, PICKLE, (), trusted=True)[1][0].step == "0"


def test_trusted_names_need_a_list(case: Case, tmp_path: Path) -> None:
    """A backend without a list does not ignore a name without a word."""
    path = saved(case.estimator, tmp_path)
    for backend in ("pickle-5", "joblib"):
        assert "has no list of names: leave out --trust" in refusal(path, backend, ("a.b",))
    result = steps.of_artifact(path, backends.get("pickle-5-allowlist"), ("a.b",), trusted=True)
    assert len(result[1]) == 2


def test_name_that_is_not_on_the_list_can_be_admitted(tmp_path: Path) -> None:
    """The sentence says by what."""
    sentence = refusal(saved(Holder(a=1), tmp_path), "pickle-5-allowlist")
    assert "admit a name that you have reviewed with --trust" in sentence


def test_names_from_a_file_are_printable_and_short(tmp_path: Path) -> None:
    """A key may steer a terminal, or be long."""
    path = saved({"\x1b[2J": 1, "x" * 10_000: 2, 10**5000: 3}, tmp_path)
    names = [step.step for step in steps.of_artifact(path, PICKLE, (), trusted=True)[1]]
    assert names[0] == "\\x1b[2J"
    assert all(name.isprintable() and len(name) < 200 for name in names)


def test_warning_of_a_load_is_said(tmp_path: Path) -> None:
    """A warning, such as that of another version of scikit-learn, is not lost in the child."""
    said: list[str] = []
    path = saved(Bomb("warn"), tmp_path)
    steps.of_artifact(path, PICKLE, (), trusted=True, say=said.append)
    assert said == ["The load warned: UserWarning: another\\x1b[2J version"]


def test_advice_knows_of_shared_parts_and_of_no_attribute() -> None:
    """Parts that two steps share are in both files; a step may have no attribute."""
    small, large = Step("a", "A", 10, None, "", 0), Step("b", "B", 90, None, "", 0)
    assert advice([small, large]) == (
        "b (B) holds 90% of the bytes: saved apart, the rest is 10.0% of the file."
    )
    same = Step("a", "B", None, None, "", 0, shared=("b",))
    assert "It shares parts with a" in advice([same, large, Step("c", "C", 1, None, "", 0)])
    sharing = Step("a", "A", 80, None, "", 0, shared=("b",))
    assert "It shares parts with a: saved apart, both files hold" in advice([sharing, large])


@pytest.mark.parametrize(("largest_bytes", "named"), [(87, False), (349, False), (350, True)])
def test_attribute_is_most_of_a_step_only_above_half(largest_bytes: int, named: bool) -> None:
    """The advice names no attribute that holds less than half of its step."""
    large = Step("b", "B", 698, None, "classes_", largest_bytes)
    sentence = advice([Step("a", "A", 500, None, "", 0), large])
    assert ("most of it in classes_" in sentence) == named
    assert sentence.startswith("b (B) holds 58% of the bytes")
