"""Imported by the fork server of trials that use every backend: what their children need.

joblib comes before dill. dill adds what it can save to Python's own pickler, and joblib copies that
pickler. With dill first, joblib would also save lambdas and open files.
"""

import contextlib
import gc

import joblib  # noqa: F401
from sklearn.utils._test_common import instance_generator  # noqa: F401

import persistbench.integrity.answers
import persistbench.integrity.state  # noqa: F401
from persistbench import backends

for backend in backends.discover().values():
    if not backend.missing:
        with contextlib.suppress(Exception):  # a broken library says so in its own trials
            backend.import_modules(shared=True)
gc.freeze()  # children need not look through all this for garbage
