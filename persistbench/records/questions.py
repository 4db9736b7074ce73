"""The names that writers and readers of records share: questions, their parts, their references.

Only the standard library is imported here: measuring processes import it, too.
"""

from typing import Literal

REFERENCE = "pickle-5"
"""The backend whose calls are paired with the calls of every other backend."""

FLOOR = "raw"
"""The backend that has no format: what it takes, nobody can beat."""

FIRST_CALLS = ("dump", "load", "load_first_predict", "map", "map_first_predict")
"""The questions whose samples are each the first call of a new process."""

REPEATED = "_repeated"
"""What the question ends with that asks the same of a process that calls again and again."""

SCALED = "scale_"
"""What questions begin with that are asked of no pipeline of the catalogue, but of sizes."""

STAGES = ("interpreter", "imports", "read", "construct", "predict")
"""Of a fresh process, in their order. ``imports`` are those that load and predict need; ``read`` is
reading and decompressing; ``construct`` is the rest of the load; ``predict`` is of the held-out
rows. The question of a stage is ``fresh_`` and the stage."""

COUNTS = (1, 2, 4, 8)
"""So many processes hold the same artifact in the questions ``workers_1_pss`` and so on."""


def question(name: str) -> str:
    """Return the question of asv's name of a benchmark, such as ``load.Load.time_load``."""
    return name.rpartition(".")[2].partition("_")[2]


def access(question: str) -> Literal["load", "map"]:
    """Return how a question opens the artifact: ``map`` or ``load``."""
    return "map" if question.startswith("map") else "load"


def size_of(name: str) -> tuple[str, int]:
    """Return the kind and the size of the pipeline with this name, measured here or elsewhere."""
    kind, _, shown = name.partition("-")
    return kind, int(shown.removesuffix("MB")) * (10**6 if shown.endswith("MB") else 1)
