"""What each step of a pipeline costs, as the records of exactness keep it."""

from collections.abc import Sequence

import msgspec


class Step(msgspec.Struct, frozen=True):
    """What one step costs.

    Attributes:
        step: its name in the pipeline; of nested pipelines, the path.
        kind: the class of the estimator.
        bytes: of an artifact that holds this step alone; None if it cannot be saved apart.
        load_seconds: median of several loads of that artifact, in a warm process.
        largest: the name of its largest attribute.
        largest_bytes: what that takes as pickle.
    """

    step: str
    kind: str
    bytes: int | None
    load_seconds: float | None
    largest: str
    largest_bytes: int


def advice(steps: Sequence[Step]) -> str:
    """Return which step should be saved apart, in a sentence; empty if none stands out."""
    known = [step for step in steps if step.bytes]
    total = sum(step.bytes or 0 for step in known)
    if len(known) < 2 or not total:
        return ""
    heavy = max(known, key=lambda step: step.bytes or 0)
    share = (heavy.bytes or 0) / total
    if share < 0.5:
        return "No step holds half of the bytes: there is little to gain by saving one apart."
    return (
        f"{heavy.step} ({heavy.kind}) holds {share:.0%} of the bytes, most of it in "
        f"{heavy.largest}: saved apart, the rest is {(1 - share):.1%} of the file."
    )
