"""The README's section on the reference results."""

from collections.abc import Iterator
from pathlib import Path

from persistbench.outcomes import Outcome
from persistbench.records import forms
from persistbench.report import faults
from persistbench.report.documents.results import (
    Results,
    bullets,
    compared,
    grid,
    holds,
    reference,
)
from persistbench.report.sections import survival
from persistbench.units import human, times

PIPELINES = (
    "small",
    "mixed_columns",
    "text",
    "boosting",
    "forest",
    "sparse",
    "large_array",
    "large_array_compressible",
)
LOADED = (
    "joblib",
    "joblib-zlib-3",
    "pickle-5-zstd-3",
    "cloudpickle",
    "pickle-5-allowlist",
    "skops",
    "onnx",
)
SAVED = ("joblib-zlib-3", "pickle-5-zstd-3", "skops")
LIBRARIES = ("scikit-learn", "joblib", "skops", "numpy")


def readme(results: Path = Path("results")) -> str:
    """Return when and where the reference results were measured, a table, and what they say.

    Args:
        results: the results folder.
    """
    own = reference(results)
    return "\n\n".join((_setting(own), _table(own), bullets(_claims(own))))


def _setting(own: Results) -> str:
    facts = own.facts()
    known = dict(one.split(" ", 1) for one in facts["libraries"].split(", "))
    libraries = ", ".join(f"{name} {known[name]}" for name in LIBRARIES)
    days = [dict(one.facts)["measured"] for one in own.platforms]
    return (
        f"Measured {', the rest '.join(days)} on {facts['processor']} with {facts['memory']}, "
        f"{facts['system']}. Python {facts['Python']}, {libraries}.\n"
        "Ratios are to `pickle-5`. `=` means equal: the 99 % interval of the ratio lies inside "
        "± 2 %.\n`± x %` means undecided: the interval holds 1 and reaches x % away from 1."
    )


def _table(own: Results) -> str:
    headings = ["pipeline", "load, pickle-5", *LOADED, "size, pickle-5", *SAVED]
    rows = (
        [
            f"`{pipeline}`",
            own.shown("load", pipeline, "pickle-5"),
            *(own.ratio("load", pipeline, backend) for backend in LOADED),
            own.shown("size", pipeline, "pickle-5"),
            *(own.multiple("size", pipeline, backend) for backend in SAVED),
        ]
        for pipeline in PIPELINES
    )
    return grid(headings, rows)


def _claims(own: Results) -> Iterator[str]:
    yield _joblib(own)
    yield _safety(own)
    yield _survival(own)
    yield _compression(own)
    yield _fresh(own)
    yield _map(own)
    yield _memory(own)
    yield _flipped(own)
    yield _predictions(own)


def _joblib(own: Results) -> str:
    slower = own.value("load", "text", "joblib") > own.value("load", "text", "pickle-5")
    quicker = own.value("load", "large_array", "joblib") < own.value(
        "load", "large_array", "pickle-5"
    )
    faults = {name: own.value("scale_faults", "array-128MB", name) / 128 for name in _COMPARED}
    return (
        f"{holds(slower and quicker, '**joblib is not always faster.**')} joblib's load of `text` "
        f"takes {own.ratio('load', 'text', 'joblib')} as long as that of pickle-5, of `small` "
        f"{own.ratio('load', 'small', 'joblib')}, of `large_array` "
        f"{own.ratio('load', 'large_array', 'joblib')}. joblib reads one large array into NumPy's "
        f"huge pages: {faults['joblib']:.0f} page fault per MB, pickle-5 {faults['pickle-5']:.0f}."
    )


_COMPARED = ("joblib", "pickle-5")


def _safety(own: Results) -> str:
    listed, skops = "pickle-5-allowlist", "skops"
    return (
        "**Caution has a price, and the price depends on the pipeline.** With a list of allowed "
        "names, which is no safety by itself, pickle's load takes "
        f"{own.ratio('load', 'small', listed)} for `small` and "
        f"{own.ratio('load', 'forest', listed)} for `forest`. skops takes "
        f"{own.ratio('load', 'small', skops)} for `small` and {own.ratio('load', 'text', skops)} "
        f"for `text`. Its file of `text` is {own.multiple('size', 'text', skops)} as large."
    )


def _survival(own: Results) -> str:
    records = own.records(forms.SURVIVAL)
    rows = survival.counts(records)
    same = [record for record in records if record["outcome"] == Outcome.SAME]
    back = {
        name: {record["subject"] for record in same if record["backend"] == name}
        for name in _COMPARED
    }
    return (
        f"**Which estimators survive.** The trial takes {len({r['subject'] for r in records})} "
        f"instances of scikit-learn's own estimators; {rows['pickle-5'].tried} can be fitted. "
        + holds(
            back["joblib"] == back["pickle-5"],
            f"pickle-5 and joblib bring the same {rows['pickle-5'].same} back, ",
        )
        + f"skops without a trusted name {rows['skops'].same}, onnx within 10⁻⁴ "
        f"{rows['onnx'].same}."
    )


def _compression(own: Results) -> str:
    zlib, zeros = "joblib-zlib-1", "large_array_compressible"
    won = 1 - own.value("size", "large_array", zlib) / own.value("size", "large_array", "pickle-5")
    return (
        "**Compression pays only where bytes repeat.** `large_array` holds random numbers: the "
        f"fastest zlib takes {own.ratio('dump', 'large_array', zlib)} as long to save it, and its "
        f"file is {100 * won:.0f} % smaller. `{zeros}` holds mostly zeros: its file shrinks from "
        f"{own.shown('size', zeros, 'pickle-5')} to {own.shown('size', zeros, zlib)}."
    )


def _fresh(own: Results) -> str:
    def shown(stage: str) -> str:
        return own.shown(f"fresh_{stage}", "small", "pickle-5")

    stages = [own.value(f"fresh_{name}", "small", "pickle-5") for name in ("read", "construct")]
    modules = round(own.value("fresh_modules", "small", "pickle-5"))
    dearer = own.value("fresh_imports", "small", "pickle-5") > sum(stages)
    return (
        holds(dearer, "**In a fresh process the imports take longer than the load.** ")
        + f"The first prediction of `small` is there {shown('total')} after the start. The imports "
        f"take {shown('imports')} ({modules:,} modules), the load {human(sum(stages), 'seconds')}."
    )


def _map(own: Results) -> str:
    def shown(question: str) -> str:
        return own.shown(question, "large_array", "joblib")

    mapped, loaded = (
        own.figure(f"{how}_first_predict", "large_array", "joblib") for how in ("map", "load")
    )
    return (
        f"**A map moves the cost.** joblib opens `large_array` in {shown('map')} mapped and in "
        f"{shown('load')} loaded. With the first predict it takes {shown('map_first_predict')} "
        f"mapped and {shown('load_first_predict')} loaded; the paired ratio is "
        f"{compared(mapped, loaded)}. A compressed file cannot be mapped. Eight processes need "
        f"{shown('workers_8_pss')} loaded and {shown('map_workers_8_pss')} mapped."
    )


def _memory(own: Results) -> str:
    def payloads(question: str, pipeline: str, backend: str) -> float:
        peak = own.value(question, pipeline, backend)
        return peak / own.value("size", pipeline, "pickle-5")

    nothing = payloads("peak_dump", "large_array", "pickle-5") < 0.01
    return (
        "**Compression needs memory.** The save of `large_array` peaks at "
        f"{times(payloads('peak_dump', 'large_array', 'joblib-zlib-3'))} the payload with "
        + holds(nothing, "joblib-zlib-3, and at next to nothing with pickle-5. ")
        + "The load of `forest` with pickle-5 peaks at "
        f"{times(payloads('peak_load', 'forest', 'pickle-5'))}: trees copy their arrays."
    )


def _flipped(own: Results) -> str:
    flipped = faults.sums(faults.of_one_run(own.records(forms.BIT_FLIP)))["small"]
    wrong = {name: one.share(faults.SILENT)[0] for name, one in flipped.items()}
    none = not any(wrong[name] for name in wrong if name.startswith(("joblib-zlib", "skops")))
    return (
        f"**A flipped bit goes unnoticed.** {flipped['pickle-5'].tried} bits of the file of "
        f"`small` are flipped, one at a time. pickle-5 then answers wrongly {wrong['pickle-5']} "
        f"times, pickle-5 through gzip {wrong['pickle-5-gzip-9']} times, "
        + holds(none, "joblib with zlib and skops never. ")
        + "A save that fails destroys the good file, too: [docs/safety.md](docs/safety.md)."
    )


def _predictions(own: Results) -> str:
    changes = [
        figure.value
        for backends in own.cells[0].values()
        for questions in backends.values()
        if (figure := questions.get("label_changes")) and figure.value is not None
    ]
    return holds(
        not any(changes),
        f"Predictions changed in none of the {len(changes)} cells whose pipelines predict labels "
        "and could be loaded.",
    )
