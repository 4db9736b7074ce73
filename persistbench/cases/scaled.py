"""Cases of a chosen size: one array, or many small Python objects."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from persistbench import files
from persistbench.case import Case
from persistbench.cases.catalogue import Pipeline
from persistbench.errors import UserError

MAX_MB = "PERSISTBENCH_MAX_MB"
"""Environment variable: the largest array, in MB of 10^6 bytes; 256 without it."""

USUAL_MB = 256
"""The largest array, unless a reader asks for another."""

FEATURES = 100
OBJECT_BYTES = 100
"""Memory of a small Python object with its entry in a dict, in bytes, about."""


@dataclass(frozen=True)
class Scaled(Pipeline):
    """A pipeline of a chosen size.

    Attributes:
        kind: a key of :data:`KINDS`.
        size: bytes of the array, or number of Python objects.
    """

    kind: str = ""
    size: int = 0

    @property
    def key(self) -> str:
        """A digest of this file and of the size."""
        return files.digest(super().key, str(self.size))

    @property
    def bytes(self) -> int:
        """The memory of the fitted pipeline in bytes, about."""
        return self.size if self.kind == "array" else self.size * OBJECT_BYTES

    def build(self) -> Case:
        """Fit the pipeline of this size."""
        return KINDS[self.kind](self.size)


def _array(size: int) -> Case:
    """Nearest neighbours over an array of random float64, as `large_array` in the catalogue."""
    import numpy as np
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(0)
    X = rng.standard_normal((size // (8 * FEATURES), FEATURES))
    held_out = rng.standard_normal((20, FEATURES))
    direction = rng.standard_normal(FEATURES)
    classes = KNeighborsClassifier(algorithm="brute").fit(X, X @ direction > 0)
    return Case(classes, held_out, held_out @ direction > 0)


def _objects(size: int) -> Case:
    """A vocabulary: half of the objects are its words, half their numbers."""
    from sklearn.feature_extraction.text import CountVectorizer

    words = [f"word{number}" for number in range(size // 2)]
    # As fitted by reading texts that hold every word once.
    counter = CountVectorizer().fit([" ".join(words)])
    texts = [" ".join(words[start::97][:50]) for start in range(50)]
    return Case(counter, texts, None)


KINDS: dict[str, Callable[[int], Case]] = {"array": _array, "objects": _objects}


@functools.cache
def pipelines() -> dict[str, Scaled]:
    """Return the pipelines by name, from the smallest to the largest of each kind.

    Raises:
        UserError: the variable :data:`MAX_MB` is no number of MB.
    """
    most = largest_mb()
    megabytes = [2**power for power in range(most.bit_length()) if 2**power <= most]
    result = [_scaled("array", size * 10**6, f"{size}MB") for size in megabytes]
    counts = [10**3, 3 * 10**3, 10**4, 3 * 10**4, 10**5, 3 * 10**5, 10**6]
    result += [_scaled("objects", size, str(size)) for size in counts]
    return {pipeline.name: pipeline for pipeline in result}


def largest_mb() -> int:
    """Return the largest array in MB of 10^6 bytes.

    Raises:
        UserError: the variable :data:`MAX_MB` is no number of MB.
    """
    text = os.environ.get(MAX_MB, str(USUAL_MB))
    if not text.isdecimal() or not int(text):
        raise UserError(f"{MAX_MB} is {text!r}: give the largest array as a number of MB, as 1024.")
    return int(text)


def _scaled(kind: str, size: int, shown: str) -> Scaled:
    return Scaled(f"{kind}-{shown}", Path(__file__), __package__, kind, size)
