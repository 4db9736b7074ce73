"""Which libraries a record was made with."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

INSTRUMENTS = ("asv", "asv_runner")
"""What runs the suite, and what makes its timed calls."""

LIBRARIES = (
    *("numpy", "scipy", "scikit-learn", "joblib", "cloudpickle", "lz4", "pandas"),
    *INSTRUMENTS,
)
"""Whose versions every record of the suite has."""

NOT_RECORDED = "not recorded"
"""What is shown in the place of a version that older records lack."""


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each distribution, or that it is not installed."""
    result = {}
    for name in sorted(names):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            result[name] = "not installed"
    return result
