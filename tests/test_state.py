"""What an estimator holds can be compared attribute by attribute in another process."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
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
    assert differences(before, {}).endswith(f"and {len(before) - 3} more")


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


def test_state_is_the_same_in_another_process(case: Case) -> None:
    """Digests do not depend on the process, not even those of sets."""
    case.estimator[0].names_ = {"one", "two", "three"}
    program = (
        "import pickle, sys; from persistbench.integrity.state import state; "
        "print(sorted(state(pickle.loads(sys.stdin.buffer.read())).items()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(case.estimator),
        capture_output=True,
        check=True,
    )
    assert result.stdout.decode().strip() == str(sorted(state(case.estimator).items()))


@pytest.mark.parametrize("pair", [(0.0, -0.0), (1, 1.0), (1, True), ("1", b"1"), ((1,), [1])])
def test_equal_is_not_the_same(pair: tuple[object, object]) -> None:
    """Values that Python calls equal, or that look alike, may be other values."""
    one, two = ({"": value} for value in pair)
    assert state(one) != state(two)
