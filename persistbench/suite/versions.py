"""The releases of asv and asv_runner that the suite is written for, and the one check of them.

asv runs, stores and publishes; classes and functions of it are replaced here. asv_runner makes the
timed calls, in each process of each environment. tests/test_asv_facts.py states what the suite
relies on in both: a new release is met there, and then named here, in asv.conf.json and in
pyproject.toml.
"""

import sys
from importlib.metadata import PackageNotFoundError, version

from persistbench.errors import UserError

KNOWN = {"asv": "0.6.6", "asv_runner": "0.3.2"}


def require(library: str) -> str:
    """Return the version of a library if it is the known one.

    Args:
        library: a name in :data:`KNOWN`.

    Raises:
        UserError: the library is not installed, or has another version.
    """
    known = KNOWN[library]
    try:
        installed = version(library)
    except PackageNotFoundError:
        installed = "not installed"
    if installed != known:
        raise UserError(
            f"The suite relies on {library} {known}, and {sys.executable} has {library} "
            f'{installed}: run `{sys.executable} -m pip install "{library}=={known}"`.'
        )
    return installed
