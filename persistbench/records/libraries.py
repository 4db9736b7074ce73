"""Which libraries a record was made with."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass  # which imports NumPy, and readers need none


LIBRARIES = ("numpy", "scipy", "scikit-learn", "joblib", "cloudpickle", "lz4", "pandas")

INSTRUMENT = "asv_runner"
"""What makes the timed calls of the suite, in each of its processes."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution, or that it is not installed."""
    result = {}
    for name in sorted(names):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            result[name] = "not installed"
    return result
