"""Imported by the fork server of trials that use every backend: what their children need.

Not everything may be imported early. dill changes Python's own pickler when it is imported, and
joblib's is derived from that: a joblib that has seen dill saves more than joblib. onnxruntime
starts a thread, which would not be there after the fork.
"""

import contextlib

from sklearn.utils import all_estimators
from sklearn.utils._test_common import instance_generator  # noqa: F401

from persistbench import backends, integrity, state  # noqa: F401

LATE = frozenset({"dill", "onnxruntime"})

all_estimators()  # which imports all of scikit-learn
for backend in backends.discover().values():
    if not (backend.missing or LATE & set(backend.requires)):
        with contextlib.suppress(Exception):  # a broken library says so in its own trials
            backend.import_modules()
