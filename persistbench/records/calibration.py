"""What a calibration says of a machine; `persistbench.calibrate` measures and judges it."""

from pathlib import Path

import msgspec

from persistbench import files
from persistbench.records import jsonl

ALLOWED_ALARMS = 0.01
REQUIRED = {0.05: 0.80, 0.10: 0.95}
"""Share of the cells of over 1 ms in which a planted slow-down must be found."""

AGREEMENT = 0.10
"""How far pyperf's time may be from ours, if the interval of the ratio does not hold 1."""

FILE = "calibration.jsonl"
"""In the machine's folder of results/; not .json, which asv would take for a result."""


class Planted(msgspec.Struct, frozen=True):
    """What became of a planted slow-down in the cells of over 1 ms."""

    slower: float
    cells: int
    found: int

    @property
    def enough(self) -> bool:
        """Whether it was found often enough."""
        return not self.cells or self.found >= REQUIRED[self.slower] * self.cells


class Agreement(msgspec.Struct, frozen=True):
    """Our time of a call over that of another instrument, with the 99 % interval."""

    cell: str
    ratio: float
    low: float
    high: float

    @property
    def enough(self) -> bool:
        """Whether the two instruments agree."""
        return self.low <= 1 <= self.high or abs(self.ratio - 1) <= AGREEMENT


EQUAL_REQUIRED = 0.5
"""Share of the cells with all looks in which a backend must be called equal to itself."""

STARTED_REQUIRED = 0.9
"""Share of the cells in which forks and started interpreters must agree."""


class FirstCalls(msgspec.Struct, frozen=True):
    """What a calibration says of first calls, over all looks together.

    Attributes:
        cells: so many were compared with themselves, each of over 1 ms.
        processes: that each cell had at the last look.
        alarms: how many were called different from themselves at any look.
        equal: how many were called equal to themselves at the last look.
        planted: what became of each slow-down.
        started: the ratio to the reference in forks over that in started interpreters, by cell.
    """

    cells: int
    processes: int
    alarms: int
    equal: int
    planted: tuple[Planted, ...]
    started: tuple[Agreement, ...]

    @property
    def agreeing(self) -> int:
        """In how many cells forks and started interpreters agree."""
        return sum(1 for part in self.started if part.enough)

    @property
    def passed(self) -> bool:
        """Whether the figures of first calls can be relied on."""
        return (
            self.alarms <= max(1, ALLOWED_ALARMS * self.cells)
            and self.equal >= EQUAL_REQUIRED * self.cells
            and all(part.enough for part in self.planted)
            and self.agreeing >= STARTED_REQUIRED * len(self.started)
        )

    def sentences(self) -> list[str]:
        """Return the verdict, for a reader."""
        result = [
            "First calls: compared with itself, a backend was called different in "
            f"{self.alarms} of {self.cells} cells of over 1 ms, at any look up to "
            f"{self.processes} processes (allowed: {ALLOWED_ALARMS:.0%}), and equal in "
            f"{self.equal} (required: half)."
        ]
        result += [
            f"First calls: a planted slow-down of {part.slower:.0%} was found in {part.found} of "
            f"{part.cells} cells (required: {REQUIRED[part.slower]:.0%})."
            for part in self.planted
        ]
        result.append(
            "First calls: the ratio to the reference agrees with that of really started "
            f"interpreters in {self.agreeing} of {len(self.started)} cells, within 10 % or the "
            f"interval (required: {STARTED_REQUIRED:.0%})."
        )
        result += [
            f"It does not for {part.cell}: {part.ratio:.2f} times that "
            f"({part.low:.2f} to {part.high:.2f})."
            for part in self.started
            if not part.enough
        ]
        return result


class Calibration(msgspec.Struct, frozen=True):
    """What a calibration says of its machine; what is not in ``first`` is of repeated calls.

    Attributes:
        date: of the end, UTC.
        cells: how many were compared with themselves.
        alarms: how many of them were called different.
        planted: what became of each slow-down.
        noise: standard deviation of a process's typical ratio, relative, in cells that make
            many pairs.
        needed: how many processes would find as much as is required.
        pyperf: the agreement in single cells; empty where pyperf is not installed.
        seconds: how long it took.
        libraries: versions.
        wider: what intervals have to be multiplied by, so that no more equal cells are called
            different than is allowed; at least 1.
        processes: in so many the suite makes the paired calls of a cell.
        first: what it says of first calls; None in records of before.
    """

    date: str
    cells: int
    alarms: int
    planted: tuple[Planted, ...]
    noise: float
    needed: int
    pyperf: tuple[Agreement, ...]
    seconds: float
    libraries: dict[str, str] = {}
    wider: float = 1.0
    processes: int = 5
    first: FirstCalls | None = None

    @property
    def passed(self) -> bool:
        """Whether figures from this machine can be relied on as they are."""
        return (
            self.alarms <= ALLOWED_ALARMS * self.cells
            and all(part.enough for part in self.planted)
            and all(part.enough for part in self.pyperf)
            and (self.first is None or self.first.passed)
        )

    def sentences(self) -> list[str]:
        """Return the verdict, for a reader."""
        result = self.first.sentences() if self.first else []
        result += [
            "Repeated calls: compared with itself, a backend was called different in "
            f"{self.alarms} of {self.cells} cells (allowed: {ALLOWED_ALARMS:.0%})."
        ]
        result += [
            f"Repeated calls: a planted slow-down of {part.slower:.0%} was found in "
            f"{part.found} of {part.cells} cells of over 1 ms "
            f"(required: {REQUIRED[part.slower]:.0%})."
            for part in self.planted
        ]
        result += [
            f"{part.cell}: pyperf's time, ours is {part.ratio:.3f} times that "
            f"({part.low:.3f} to {part.high:.3f})."
            for part in self.pyperf
        ]
        result.append(
            f"The ratios of two processes typically differ by {self.noise:.1%}. With "
            f"{self.needed} processes for each cell as many as required would be found on the "
            f"average; the suite has {self.processes}."
        )
        result.append(
            "Passed: the ratios of this machine hold, and so do the words equal and undecided."
            if self.passed
            else "Not passed: this machine is too noisy for small differences; the report "
            f"takes its noise into every interval, and makes them {self.wider:.2f} times as wide."
        )
        return result


def write(folder: Path, calibration: Calibration) -> Path:
    """Write what became known of a machine; return the path of the file.

    Args:
        folder: the machine's own, ``results/<machine>``.
        calibration: what became known.
    """
    path = folder / FILE
    files.publish(path, msgspec.json.encode(calibration) + b"\n")
    return path


def read(folder: Path) -> tuple[Calibration | None, list[str]]:
    """Return what is known of the machine with this folder, and what was left out.

    Args:
        folder: the machine's own, ``results/<machine>``.
    """
    if not (folder / FILE).is_file():
        return None, []
    records, broken = jsonl.read_typed(folder / FILE, _DECODER.decode)
    return (records[-1] if records else None), broken


_DECODER = msgspec.json.Decoder(Calibration)
