"""What a run of the suite cost and what it left open, in sentences."""


def lines(timed: float, processes: float, wall: float) -> list[str]:
    """Return what the rounds of a run cost, line by line.

    Args:
        timed: seconds inside first calls, those of the reference included.
        processes: seconds that their processes took, the timed calls included.
        wall: seconds of all rounds; more than 0.
    """
    starting = processes - timed
    return [
        f"The rounds took {wall:.0f} s: {timed:.0f} s ({timed / wall:.0%}) inside first calls,",
        f"{starting:.0f} s ({starting / wall:.0%}) for starting their processes, and",
        f"{wall - processes:.0f} s for all else: examining cells, other questions, the page, asv.",
    ]


def late(first: float, minutes: float) -> list[str]:
    """Return what to say of a budget that was too small for the first round, if it was.

    Args:
        first: seconds that the first round took.
        minutes: the budget.
    """
    if first <= 60 * minutes:
        return []
    return [
        f"The first round took {first / 60:.1f} min, and is always finished: the budget of "
        f"{minutes:g} min left nothing to refine."
    ]


def undecided(left: int, measured: int, needed: int) -> list[str]:
    """Return what to say of ratios that are not decided, if there are any.

    Args:
        left: so many are not.
        measured: of so many.
        needed: so many processes of each would decide half of them.
    """
    if not left:
        return [f"All {measured} ratios of first calls are decided."] if measured else []
    return [
        f"{left} of {measured} ratios of first calls are not decided, and the page says so. With "
        f"the noise of this machine, {needed} processes of each would decide half of them.",
        "The same command goes on; --minutes gives it more time.",
    ]
