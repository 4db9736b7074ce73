"""Records of safety trials as the trials leave them, for tests of what shows them."""

import random
from pathlib import Path
from typing import Any

from tests._results import claimed, tried

PICKLES = ("pickle-5", "joblib", "cloudpickle", "pickle-5-oob", "joblib-zlib-3")
LISTED = ("skops", "pickle-5-allowlist")
BACKENDS = (*PICKLES, *LISTED, "onnx")
SHAPES = ("reduce", "setstate", "import", "function", "operator-schema")
PIPELINES = ("small", "forest")
FAILURES = ("open-file", "lock", "lambda", "full-disk", "killed", "two-savers")
FAULTS = 100


def refused(**facts: Any) -> dict[str, Any]:
    """Return the facts of a backend that says no."""
    return {"outcome": "error-at-load", "reason": "UntrustedTypesFoundError: no"} | facts


def code(folder: Path, **facts: Any) -> None:
    """Write that pickles run code at load, skops none unless trusted blindly, onnx cannot."""
    for shape in SHAPES:
        for backend in PICKLES:
            own = {"place": "documented", "marker": "load", "refused": False}
            tried(folder, "code", shape, backend, **own, **facts)
        for backend in LISTED:
            for condition in ("no trust", "reviewed"):
                own = refused(place=condition, marker="never", refused=True)
                if condition == "reviewed" and shape == "function":
                    own |= {"outcome": "same", "reason": "", "refused": False}
                tried(folder, "code", shape, backend, **own, **facts)
        own = {"place": "blind", "marker": "load" if shape != "import" else "never"}
        tried(folder, "code", shape, "skops-blind", refused=False, **own, **facts)
        own = {"place": "documented", "marker": None, "outcome": "unsupported", "reason": "no"}
        tried(folder, "code", shape, "onnx", refused=False, **own, **facts)
        look = {"place": "skops.io.get_untrusted_types", "marker": False, "imported": 0}
        look |= {"modules": []}
        if shape == "import":
            look |= {"imported": 2, "modules": ["antigravity", "this"]}
        tried(folder, "looking", shape, "skops", **look, **facts)


def bombs(folder: Path, **facts: Any) -> None:
    """Write that zeros unfold everywhere but in pickle-5, and that only onnx has a limit."""
    for number, backend in enumerate(BACKENDS):
        bad = {"outcome": "error-at-load", "reason": "MemoryError"}
        own: dict[str, Any] = {
            "bytes": 1000 * (number + 1),
            "peak": {"audit": None, "load": 10**9, "use": 2 * 10**6},
            "limit": "the size of a tensor" if backend == "onnx" else "",
            "limited": bad,
        }
        if backend == "pickle-5":
            own = {"outcome": "unsupported", "reason": "it compresses nothing"}
        tried(folder, "bombs", "zeros", backend, **own, **facts)
        own = {"bytes": 90, "peak": {"audit": None, "load": 5000, "use": None}}
        own |= {"limited": {"outcome": "same", "reason": ""}, "limit": ""}
        tried(folder, "bombs", "nested", backend, **own, **facts)


def scanners(folder: Path, **facts: Any) -> None:
    """Write that one scanner misses a marker in compressed files, and one only errs."""
    for backend in BACKENDS:
        for scanner in ("picklescan", "fickling"):
            seen = {"flagged": 5, "error": 0, "clean": 0}
            if scanner == "fickling":
                seen = {"flagged": 0, "error": 5, "clean": 0}
            elif backend == "joblib-zlib-3":
                seen = {"flagged": 2, "error": 0, "clean": 3}
            for condition, counts in (("marker", seen), ("clean", {"flagged": 0, "clean": 4})):
                own = {"place": condition, "counts": counts, "version": "1.0"}
                tried(folder, "scanners", scanner, backend, **own, **facts)


def batches(
    folder: Path, kind: str, pipeline: str, backend: str, counts: dict[str, int], **facts: Any
) -> None:
    """Write two batches of faults, each with the same counts."""
    size = sum(counts.values())
    for first in (0, size):
        own: dict[str, Any] = {
            "place": f"{first:03}-{first + size - 1:03}",
            "counts": counts,
            "errors": {"UnpicklingError": counts.get("error-at-load", 0), "crash: SIGSEGV": 1},
            "silent": [[17, 3, "values-differ", "by 0.5"]],
            "tried": size,
            "wanted": 2 * size,
            "bytes": 20_000,
        }
        tried(folder, kind, pipeline, backend, **own | facts)


def damage(folder: Path, **facts: Any) -> None:
    """Write faults: some silent ones and crashes of flipped bits, none of files cut off."""
    chance = random.Random(0)
    for pipeline in PIPELINES:
        for backend in BACKENDS:
            if backend == "onnx" and pipeline == "forest":
                own = {"outcome": "unsupported", "reason": "no converter"}
                tried(folder, "bit-flip", pipeline, backend, **own, **facts)
                continue
            silent = 0 if backend == "joblib-zlib-3" else chance.randrange(3, 60)
            crash = chance.randrange(0, 3) if backend != "skops" else 0
            counts = {"values-differ": silent, "crash": crash, "state-differs": 1}
            counts["error-at-load"] = FAULTS - sum(counts.values())
            batches(folder, "bit-flip", pipeline, backend, counts, outcome="crash", **facts)
            counts = {"error-at-load": FAULTS}
            batches(folder, "truncation", pipeline, backend, counts, **facts)


def saves(folder: Path, **facts: Any) -> None:
    """Write that an own dump breaks what was there, except skops', and a renamed one never."""
    for subject in FAILURES:
        for backend in BACKENDS:
            for condition in ("own", "renamed"):
                own: dict[str, Any] = {"place": condition, "left": "earlier", "litter": 0}
                own |= {"outcome": "error-at-dump", "reason": "TypeError: cannot pickle"}
                if condition == "own" and backend != "skops":
                    own |= {"left": "broken", "left_reason": "EOFError: Ran out of input"}
                if subject == "killed":
                    own |= {"outcome": "crash", "reason": "SIGKILL"}
                    own["litter"] = int(condition == "renamed")
                if subject == "two-savers":
                    own |= {"outcome": "same", "reason": ""}
                    own["left"] = "new" if condition == "renamed" else "wrong"
                tried(folder, "failed-save", subject, backend, **own, **facts)


def secrets(folder: Path, **facts: Any) -> None:
    """Write false successes of skops, dead objects of dill, and where secrets travel."""
    for backend in BACKENDS:
        for member in ("lambda", "sqlite-connection", "generator"):
            own: dict[str, Any] = {"false_success": False, "dead": ""}
            own |= {"outcome": "error-at-dump", "reason": "PicklingError: no"}
            if backend == "skops":
                own |= {"false_success": True, "outcome": "error-at-load", "reason": "no such name"}
            tried(folder, "false-success", member, backend, **own, **facts)
        for condition in ("cache", "open-file", "training-data"):
            own = {"found": "loaded" if "zlib" in backend else "artifact"}
            if condition == "open-file":
                own = {"found": None, "outcome": "error-at-dump", "reason": "TypeError: no"}
            tried(folder, "leaks", condition, backend, **own, **facts)


def maps(folder: Path, **facts: Any) -> None:
    """Write that a truncated map ends the process, and which methods write to a map."""
    for backend in ("joblib", "pickle-5-oob"):
        for mode in ("r", "r+", "c"):
            for subject in ("truncated", "overwritten", "replaced", "deleted", "written by use"):
                own: dict[str, Any] = {"place": mode, "mapped": True, "file_changed": False}
                if subject == "truncated":
                    own |= {"outcome": "crash", "reason": "SIGBUS"}
                if subject == "overwritten":
                    own |= {"outcome": "values-differ", "reason": "predict differs"}
                if subject == "written by use" and mode == "r+":
                    own["file_changed"] = True
                tried(folder, "map-in-use", subject, backend, **own, **facts)
            own = {"place": mode, "mapped": False, "file_changed": None}
            tried(folder, "map-in-use", "compressed", backend, **own, **facts)
        for estimator in ("Ridge", "MiniBatchKMeans", "SVC"):
            for method in ("predict", "partial_fit"):
                own = {"place": method}
                if method == "partial_fit" and estimator == "MiniBatchKMeans":
                    own |= {"outcome": "error-at-use", "reason": "ValueError: read-only"}
                if estimator == "SVC" and backend == "joblib":
                    own |= {"outcome": "crash", "reason": "SIGSEGV"}
                tried(folder, "read-only-map", estimator, backend, **own, **facts)


def loads(folder: Path, **facts: Any) -> None:
    """Write that loads during an own dump err, and that those of renamed files never do."""
    for pipeline in PIPELINES:
        for backend in BACKENDS:
            own = {"loads": 4000, "wrong": 3, "errors": {"EOFError": 40}, "swaps": 1000}
            tried(folder, "concurrent-use", pipeline, backend, place="own", **own, **facts)
            own |= {"wrong": 0, "errors": {}}
            tried(folder, "concurrent-use", pipeline, backend, place="renamed", **own, **facts)


def everything(folder: Path, **facts: Any) -> Path:
    """Write records of all kinds, and what the backends said; return the folder."""
    claimed(folder, "desk", (*BACKENDS, "skops-blind"))
    for write in (code, bombs, scanners, damage, saves, secrets, maps, loads):
        write(folder, **facts)
    return folder
