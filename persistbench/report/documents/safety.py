"""The section of docs/safety.md on the reference results."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from persistbench.outcomes import Outcome
from persistbench.records import forms
from persistbench.report import faults
from persistbench.report.documents.results import Results, bullets, holds, reference
from persistbench.report.safety import Record
from persistbench.report.sections.accident import LOST

LIBRARIES = ("scikit-learn", "joblib", "skops", "onnxruntime")
CHECKED = ("joblib-zlib-1", "joblib-zlib-3", "joblib-zlib-9", "joblib-bz2-3", "joblib-lzma-3")
"""Compressors of joblib that write a checksum, at the levels that were tried."""


def safety(results: Path = Path("results")) -> str:
    """Return when and with what the trials were made, and what they say.

    Args:
        results: the results folder.
    """
    own = reference(results)
    return f"{_setting(own)}\n\n{bullets(_claims(own))}"


def _setting(own: Results) -> str:
    records = [
        record for kind in (*forms.ATTACKS, *forms.ACCIDENTS) for record in own.records(kind)
    ]
    days = sorted({record["date"][:10] for record in records})
    versions = {name: version for r in records for name, version in r["libraries"].items()}
    libraries = ", ".join(f"{name} {versions[name]}" for name in LIBRARIES)
    return (
        f"Tried {' to '.join(dict.fromkeys((days[0], days[-1])))} on {own.facts()['system']}.\n"
        f"Python {own.facts()['Python']}, {libraries}.\n"
        "Other machines and versions give other results: run `persistbench try safety`."
    )


def _claims(own: Results) -> Iterator[str]:
    flipped = faults.sums(faults.of_one_run(own.records(forms.BIT_FLIP)))
    yield _checksums(flipped["small"])
    yield _crashes(flipped)
    yield _onnx(flipped["small"])
    yield _failed_saves(own.records(forms.FAILED_SAVE))
    yield _leaks(own.records(forms.LEAKS))
    yield _blind_trust(own.records(forms.CODE))
    yield _read_only(own.records(forms.READ_ONLY_MAP))
    yield _concurrent(own.records(forms.CONCURRENT_USE))


def _checksums(small: dict[str, faults.Sum]) -> str:
    wrong = {name: one.share(faults.SILENT)[0] for name, one in small.items()}
    none = not any(wrong[name] for name in (*CHECKED, "skops"))
    return (
        "**A checksum that nobody reads helps nobody.** "
        f"{small['pickle-5'].tried} bits of the file of `small` were flipped, one at a time. "
        f"pickle-5 then answered wrongly, without an error, {wrong['pickle-5']} times; through "
        f"gzip {wrong['pickle-5-gzip-9']} times. A pickle ends before the checksum of its gzip "
        "file, so `pickle.load(gzip.open(...))` never reads the checksum. Zstandard and LZ4 write "
        f"a checksum only on demand ({wrong['pickle-5-zstd-3']} and {wrong['joblib-lz4-1']} wrong "
        "answers). "
        + holds(
            none,
            "skops (a zip with checksums) and joblib with zlib, bz2 or lzma gave no wrong answer.",
        )
    )


def _crashes(flipped: dict[str, dict[str, faults.Sum]]) -> str:
    forest, array = flipped["forest"]["pickle-5"], flipped["large_array"]["pickle-5"]
    nearly = array.counts[Outcome.STATE_DIFFERS] >= 0.9 * array.tried
    return (
        "**A flipped bit in a forest can kill the process.** Its trees hold indices that `predict` "
        f"follows without a check: {forest.errors['SIGSEGV']} of {forest.tried} flipped bits ended "
        "the process of pickle-5 with SIGSEGV. "
        + holds(
            nearly,
            "In one large array nearly all flips leave the answers right and the data wrong.",
        )
    )


def _onnx(small: dict[str, faults.Sum]) -> str:
    onnx = small["onnx"]
    return (
        f"**ONNX has no checksum either.** {onnx.share(faults.SILENT)[0]} of {onnx.tried} flipped "
        "bits in `small` changed labels or values. Only the answers of a predictor can be "
        "compared, so its `same` says less than the `same` of an estimator."
    )


def _failed_saves(records: list[Record]) -> str:
    left = Counter((record["place"], record["left"]) for record in records)
    of = sum(count for (way, _), count in left.items() if way == "own")
    ways, backends = ({record[name] for record in records} for name in ("subject", "backend"))
    lost = [r for r in records if r["place"] == "renamed" and r["left"] in LOST]
    of_skops = all(r["backend"].startswith("skops") for r in lost)
    of_skops = of_skops and {r["subject"] for r in lost} == {"lock", "lambda", "local-class"}
    return (
        "**A save that fails has already destroyed the good file.** "
        f"{of} saves were disturbed ({len(ways)} ways, {len(backends)} backends). "
        f"{left['own', 'broken']} left a broken file where the good file lay, and "
        f"{left['own', 'wrong']} left a mixture of two pipelines that loads. With a rename into "
        f"place the good file was lost {len(lost)} times, "
        + holds(of_skops, "always with skops: its dump reports success for ")
        + "a lock, a lambda and a local class that nobody can load. Load before you rename."
    )


def _leaks(records: list[Record]) -> str:
    leaked = {(r["subject"], r["backend"]) for r in records if r["found"]} - {
        (r["subject"], r["backend"]) for r in records if r["found"] == "no"
    }
    pickles = {r["backend"] for r in records if r["backend"].startswith("pickle")}
    subjects = ("cache", "nearest-neighbours", "parameter")
    in_pickles = all((subject, backend) in leaked for subject in subjects for backend in pickles)
    more = all((name, "cloudpickle") in leaked for name in ("open-file", "global", "environment"))
    return (
        "**More travels than was meant.** "
        + holds(in_pickles, "Caches, training rows and parameters are in every pickle. ")
        + holds(more, "cloudpickle also carries the contents of an open text file and globals of ")
        + "the script. It carries the whole environment if the script says "
        "`from os import environ`."
    )


def _blind_trust(records: list[Record]) -> str:
    ran = {
        (record["backend"], record["place"], record["marker"], record["subject"])
        for record in records
        if record["marker"] not in (None, "never")
    }
    blind = {when for backend, _, when, _ in ran if backend == "skops-blind"}
    untrusting = {way for backend, way, _, _ in ran if backend == "skops"}
    reviewed = ("skops", "reviewed", "use", "methodcaller-admitted") in ran
    return (
        "**A trust list that comes from the file is no list.** "
        + holds(
            blind == {"load", "use"} and "no trust" not in untrusting,
            "With every name that the file asks for (`skops-blind`), payloads ran at load and at "
            "use. With nothing trusted, none ran. ",
        )
        + holds(
            reviewed, "`operator.methodcaller` on a reviewed list is enough to run code at use."
        )
    )


def _read_only(records: list[Record]) -> str:
    crashed = {r["subject"] for r in records if r["outcome"] == Outcome.CRASH}
    failed = {r["place"] for r in records if r["outcome"] == Outcome.CRASH}
    predicts = all(
        record["outcome"] in (Outcome.SAME, Outcome.UNSUPPORTED, Outcome.ERROR_AT_BUILD)
        for record in records
        if record["place"] == "predict"
    )
    own = ", ".join(sorted(crashed - {"SelectFromModel"}))
    return (
        "**Read-only maps.** "
        + holds(predicts, "Every estimator that can be mapped predicts on a read-only map. ")
        + holds(
            failed == {"partial_fit"} and "SelectFromModel" in crashed,
            f"`partial_fit` ends with SIGSEGV for {own}, and for SelectFromModel around one of "
            "them.",
        )
    )


def _concurrent(records: list[Record]) -> str:
    hung = {r["backend"] for r in records if r["outcome"] == Outcome.TIMEOUT}
    return holds(
        bool(hung) and all(name.startswith("joblib-zlib") for name in hung),
        "**A load during a save** can hang joblib with zlib for ever: joblib looks for more data "
        "where the bytes of another file follow.",
    )
