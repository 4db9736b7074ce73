"""What an estimator holds can be compared attribute by attribute in another process."""

import copy
import functools
import itertools
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import Birch
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer

from persistbench import Case
from persistbench.integrity.state import differences, state


def test_copy_has_the_same_state(case: Case) -> None:
    """Layout in memory, identity and order of attributes are no state."""
    other = copy.deepcopy(case.estimator)
    other[1].coef_ = np.asfortranarray(other[1].coef_)
    other[1].__dict__ = dict(reversed(list(other[1].__dict__.items())))
    assert differences(state(case.estimator), state(other)) == ""


def test_one_changed_number_is_named_by_its_path(case: Case) -> None:
    """The path leads to the attribute, and nothing else is named."""
    other = copy.deepcopy(case.estimator)
    other[1].coef_[0, 0] = np.nextafter(other[1].coef_[0, 0], 1)
    assert differences(state(case.estimator), state(other)) == ".steps[1][1].coef_ differs"


def test_lost_and_new_attributes_are_named(case: Case) -> None:
    """Of many differences three are named, the others counted."""
    before, other = state(case.estimator), copy.deepcopy(case.estimator)
    del other[0].scale_
    other[0].extra_ = 1
    result = differences(before, state(other))
    assert ".steps[0][1].scale_ is gone" in result
    assert ".steps[0][1].extra_ is new" in result
    for name in ("a", "b", "c"):
        setattr(other[0], name, 1)
    assert differences(before, state(other)).endswith("and 2 more")


def test_trees_written_in_c_show_their_nodes(case: Case) -> None:
    """A threshold that differs deep inside a forest is found."""
    forest = RandomForestClassifier(3, random_state=0).fit(case.X, case.y)
    before = state(forest)
    forest.estimators_[1].tree_.threshold[0] += 1
    assert "estimators_[1].tree_" in differences(before, state(forest))


def test_functions_differ_by_their_code() -> None:
    """Two lambdas of one name and other bodies are not the same."""
    one, two = (FunctionTransformer(function) for function in (lambda X: X + 1, lambda X: X - 1))
    assert differences(state(one), state(two))


def test_cycles_end() -> None:
    """An estimator that holds itself is walked once."""
    one = FunctionTransformer()
    one.itself_ = [one]
    assert state(one) == state(copy.deepcopy(one))
    one.itself_ = [2]
    assert state(one) != state(FunctionTransformer())


def nested(value: Any, layers: int, width: int = 1) -> Any:
    """Return lists in lists, each of which holds the next one so many times."""
    for _ in range(layers):
        value = [value] * width
    return value


def test_shared_objects_are_visited_once() -> None:
    """Sixty layers of a list that holds the next one twice are a graph of sixty lists."""
    one = state(nested(1, 60, width=2))
    assert len(one.digests) == 61
    assert one == state(nested(1, 60, width=2))
    assert differences(one, state(nested(2, 60, width=2))).endswith("differs")


def test_linked_leaves_are_visited_once() -> None:
    """The leaves of a Birch know each other: its graph is of its own size."""
    rows = np.random.default_rng(0).standard_normal((4_000, 5))
    model = Birch(threshold=0.1).fit(rows)
    one = state(model)
    assert len(one.digests) < 10 * len(rows)
    model.root_.subclusters_[-1].n_samples_ += 1
    result = differences(one, state(model))
    assert result.endswith("n_samples_ differs")
    assert ".root_" in result or ".dummy_leaf_" in result


def test_deep_objects_are_walked_without_recursion() -> None:
    """A hundred thousand lists in each other are compared, and a path is short enough to read."""
    one, other = state(nested(1, 100_000)), state(nested(2, 100_000))
    assert one == state(nested(1, 100_000))
    assert len(differences(one, other)) < 300


def test_sharing_is_no_state() -> None:
    """One list in two places and two equal lists are the same, and so are cycles of any length."""
    shared = [1]
    assert state([shared, shared]) == state([[1], [1]])
    assert state([shared, shared]) != state([[1], [2]])
    one: list[Any] = []
    one.append(one)
    two: list[Any] = [[]]
    two[0].append(two)
    assert state(one) == state(two)
    assert state(one) != state([[[1]]])


class Endless:
    """Has a part that is new each time."""

    def __reduce_ex__(self, protocol: object) -> Any:
        return Endless, (Endless(),)


class Counting:
    """Says that it has items without end."""

    def __reduce_ex__(self, protocol: object) -> Any:
        return Counting, (), None, itertools.count()


@pytest.mark.parametrize("one", [Endless(), Counting(), [[Endless()], 1]])
def test_walk_ends_at_its_limit(one: Any) -> None:
    """Objects without end are known up to the limit, which the result names."""
    first, again = (state(one, limit=1_000) for _ in range(2))
    assert first.uncompared == ("it holds more than 1,000 values, and the others are not known",)
    assert len(first.digests) <= 1_001
    assert differences(first, again) == ""


class Locked:
    """Its attributes cannot be read."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("locked")


def test_what_cannot_be_taken_apart_is_named() -> None:
    """An object that refuses is its class; that it refuses is no difference, and is said."""
    one = state([Locked(), 1])
    assert one == state([Locked(), 1])
    assert one != state([Locked(), 2])
    (text,) = one.uncompared
    assert "Locked cannot be taken apart (RuntimeError: locked)" in text


def test_long_integer_is_a_value() -> None:
    """Python refuses to write integers of more than 4,300 digits, and they are compared."""
    assert state(10**5_000) == state(10**5_000)
    assert state(10**5_000) != state(10**5_000 + 1)


def test_function_whose_variable_has_no_value_has_a_state() -> None:
    """A closure may name a variable before it is assigned."""

    def function() -> Any:
        return later

    assert state(function) == state(function)
    later = 1
    assert function() == later


def test_state_is_the_same_in_another_process(case: Case) -> None:
    """Digests do not depend on the process, not even those of sets."""
    case.estimator[0].names_ = {"one", "two", "three"}
    program = (
        "import pickle, sys; from persistbench.integrity.state import state; "
        "sys.stdout.buffer.write(pickle.dumps(state(pickle.loads(sys.stdin.buffer.read()))))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(case.estimator),
        capture_output=True,
        check=True,
    )
    assert pickle.loads(result.stdout) == state(case.estimator)


@pytest.mark.parametrize("pair", [(0.0, -0.0), (1, 1.0), (1, True), ("1", b"1"), ((1,), [1])])
def test_equal_is_not_the_same(pair: tuple[object, object]) -> None:
    """Values that Python calls equal, or that look alike, may be other values."""
    one, two = ({"": value} for value in pair)
    assert state(one) != state(two)


class Slotted:
    """Saves one of its two slots."""

    __slots__ = ("lost", "saved")

    def __getstate__(self) -> Any:
        return self.saved


class Tagged(np.ndarray[Any, Any]):
    """An array with a unit."""

    unit: str


class Numbers(list[int]):
    """A list with a unit."""

    unit: str


class Mapped(dict[str, int]):
    """A dict with a unit."""

    unit: str


class Zeroed(BaseEstimator):
    """Saves a zero in place of its attribute."""

    unit: str

    def __getstate__(self) -> Any:
        return {"unit": ""}


class Emptied:
    """Saves none of its attributes."""

    unit: str

    def __reduce__(self) -> Any:
        return Emptied, ()


def slotted(lost: int) -> Any:
    """Return an object whose first slot is not saved."""
    result = Slotted()
    result.lost, result.saved = lost, 1
    return result


def with_unit(value: Any, unit: str) -> Any:
    """Return a value with an attribute."""
    value.unit = unit
    return value


ATTRIBUTES: dict[str, tuple[Any, Any]] = {
    "slots": (slotted(1), slotted(2)),
    "array": tuple(with_unit(np.ones(3).view(Tagged), unit) for unit in ("m", "km")),
    "list": tuple(with_unit(Numbers([1]), unit) for unit in ("m", "km")),
    "dict": tuple(with_unit(Mapped(a=1), unit) for unit in ("m", "km")),
    "partial": tuple(with_unit(functools.partial(print), unit) for unit in ("m", "km")),
    "getstate": tuple(with_unit(Zeroed(), unit) for unit in ("m", "km")),
    "reduce": tuple(with_unit(Emptied(), unit) for unit in ("m", "km")),
}
"""Pairs of objects that differ in an attribute, by what hides it from pickle."""


@pytest.mark.parametrize("kind", ATTRIBUTES)
def test_attributes_that_a_save_may_lose_are_compared(kind: str) -> None:
    """An attribute counts by its value, whatever its class gives to pickle."""
    one, other = ATTRIBUTES[kind]
    name = "lost" if kind == "slots" else "unit"
    assert differences(state([one]), state([other])) == f"[0].{name} differs"
    assert state(one) == state(one)
    assert state(one).uncompared == ()


class Lookup:
    """Leaves out its cache and three more attributes."""

    def __init__(self, path: str, content: int) -> None:
        self.path = path
        self.a_ = self.b_ = self.c_ = self.cache_ = content

    def __getstate__(self) -> Any:
        return {"path": self.path}


def test_attribute_that_its_class_leaves_out_is_no_state() -> None:
    """A cache that ``__getstate__`` leaves out is named, and its value is no difference."""
    one, other = Lookup("x", 1), Lookup("x", 2)
    assert state(one) == state(other)
    assert state(one) != state(Lookup("y", 1))
    assert state(one).uncompared == (
        "Lookup.a_ is left out by its __getstate__",
        "Lookup.b_ is left out by its __getstate__",
        "Lookup.c_ is left out by its __getstate__",
        "1 more attributes are left out by a __getstate__",
    )
    del other.cache_
    assert state(one) == state(other)


class Handle:
    """Holds a handle, which it saves as bytes."""

    def __init__(self, content: bytes) -> None:
        self.handle = object()
        self.content = [content]

    def __getstate__(self) -> Any:
        return {"handle": self.content[0]}


def test_value_that_is_saved_for_a_handle_is_compared() -> None:
    """A library's pointer says nothing; the bytes that are saved for it do."""
    result = differences(state(Handle(b"one")), state(Handle(b"two")))
    assert result == "(state).handle differs"
    assert state(Handle(b"one")) == state(Handle(b"one"))


def test_version_of_scikit_learn_is_no_state() -> None:
    """Pickle writes the version beside the attributes of an estimator."""
    one, other = FunctionTransformer(), FunctionTransformer()
    one.__dict__["_sklearn_version"] = "0.1"
    assert state(one) == state(other)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_getstate_that_ends_the_process_is_named(error: type[BaseException]) -> None:
    """An object that ends the process when it is saved is compared by its attributes."""

    class Ends:
        def __init__(self, value: int) -> None:
            self.value = value

        def __getstate__(self) -> Any:
            raise error

    (text,) = state(Ends(1)).uncompared
    assert f"saving it raises {error.__name__}" in text
    assert differences(state(Ends(1)), state(Ends(2))) == ".value differs"


def negative(number: int) -> int:
    """Be an element of a set."""
    return -number


class Plain:
    """Its own text holds its address in memory."""

    def __init__(self, value: int) -> None:
        self.value = value


def test_functions_in_sets_and_keys_are_compared_by_name() -> None:
    """The address of a function is no state, and its name is."""
    sets: list[Any] = [{negative, Plain}, {(negative, 1)}, {negative: 1, Plain: 2}]
    for value in sets:
        one = state(value)
        text = repr(one)
        assert one.uncompared == ()
        assert " at 0x" not in text
    assert state({negative}) == state({copied(negative)})
    assert state({(negative, 1)}) == state({(copied(negative), 1)})
    assert state({negative: 1}) == state({copied(negative): 1})
    assert state({negative}) != state({Plain})
    assert differences(state({negative: 1}), state({copied(negative): 2})).endswith("] differs")


def copied(function: Any) -> Any:
    """Return a function of the same name at another address."""
    return functools.update_wrapper(type(function)(function.__code__, globals()), function)


def test_objects_in_sets_are_counted() -> None:
    """An element that has only an address is counted, and the result says so."""
    one = state({Plain(1), Plain(1)})
    assert one == state({Plain(1), Plain(1)})
    assert one != state({Plain(1)})
    assert one.uncompared == (f"{__name__}.Plain in a set is counted, and not compared",)


def test_objects_as_keys_are_compared_in_their_order() -> None:
    """A dict keeps the order of its keys, so keys without names are compared as they come."""
    assert state({Plain(1): 1, Plain(2): 2}) == state({Plain(1): 1, Plain(2): 2})
    assert state({Plain(1): 1, "x": 2}) == state({"x": 2, Plain(1): 1})
    result = differences(state({Plain(1): 1}), state({Plain(2): 1}))
    assert result == "[item 0][0].value differs"


def test_class_of_an_array_is_state() -> None:
    """A matrix multiplies in another way than an array; a memory map of an array is that array."""
    rows = np.ones((1, 6))
    assert state(np.matrix(rows)) != state(rows)
    assert state(np.matrix(rows)) == state(np.matrix(rows))
    assert state(np.memmap("/dev/zero", float, "r", shape=(3,))) == state(np.zeros(3))


def test_mask_of_an_array_is_state() -> None:
    """What is masked, and what takes its place, is compared."""
    one, two = (np.ma.array([1.0, 2.0], mask=mask) for mask in ([0, 1], False))
    assert state(one) == state(one.copy())
    assert differences(state(one), state(two)) == ".mask differs"
    assert state(two) == state(np.ma.array([1.0, 2.0]))
    filled = np.ma.array([1.0, 2.0], mask=[0, 1], fill_value=3.0)
    assert differences(state(one), state(filled)) == ".fill_value differs"


class Stamped:
    """Saves None in place of the time at which it was made."""

    def __init__(self, made: float | None, path: str | None = None) -> None:
        self.made = made
        self.path = path

    def __getstate__(self) -> Any:
        return {**vars(self), "made": None}


def test_attribute_that_its_class_saves_as_none_is_no_state() -> None:
    """None in the place of a value leaves it out, and an attribute that is None is compared."""
    assert state(Stamped(1.0)) == state(Stamped(None))
    assert state(Stamped(1.0)).uncompared == ("Stamped.made is left out by its __getstate__",)
    assert state(Stamped(None)).uncompared == ()
    assert state(Stamped(1.0)) != state(Stamped(1.0, "x"))
    assert state(Stamped(1.0, "x")) != state(Stamped(1.0))
