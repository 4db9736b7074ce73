"""What each step of a pipeline costs, as the records of exactness keep it."""

from collections.abc import Sequence

import msgspec


class Step(msgspec.Struct, frozen=True):
    """What one step costs.

    Attributes:
        step: its name in the pipeline; of nested pipelines, the path.
        kind: the class of the estimator.
        bytes: of an artifact that holds this step alone, with all that the step shares; None if
            it cannot be saved apart, or if the same object is an earlier step.
        load_seconds: median of several loads of that artifact, in a warm process.
        largest: the name of its largest attribute; empty if no attribute has a size.
        largest_bytes: what that takes as pickle, without what was counted before.
        shared: the steps in which parts of this step were counted.
        unpickled: attributes that have no size, because pickle cannot save them.
    """

    step: str
    kind: str
    bytes: int | None
    load_seconds: float | None
    largest: str
    largest_bytes: int
    shared: tuple[str, ...] = ()
    unpickled: tuple[str, ...] = ()


def advice(steps: Sequence[Step]) -> str:
    """Return which step should be saved apart, in a sentence; empty if none stands out."""
    known = [step for step in steps if step.bytes]
    total = sum(step.bytes or 0 for step in known)
    if len(known) < 2 or not total:
        return ""
    heavy = max(known, key=lambda step: step.bytes or 0)
    heavy_bytes = heavy.bytes or 0
    share = heavy_bytes / total
    sharing = [one.step for one in steps if heavy.step in one.shared or one.step in heavy.shared]
    if sharing:
        return (
            f"{heavy.step} ({heavy.kind}) is the largest step. It shares parts with {sharing[0]}: "
            "saved apart, both files hold these parts."
        )
    if share < 0.5:
        return "No step holds half of the bytes: there is little to gain by saving one apart."
    most = f", most of it in {heavy.largest}" if heavy.largest_bytes > heavy_bytes / 2 else ""
    return (
        f"{heavy.step} ({heavy.kind}) holds {share:.0%} of the bytes{most}: "
        f"saved apart, the rest is {(1 - share):.1%} of the file."
    )
