"""What saving costs in all: one number for a way of working."""

from dataclasses import dataclass

from persistbench.report.figures import Figure


@dataclass(frozen=True)
class Deployment:
    """One save, and what comes after it.

    Attributes:
        loads: how often each worker loads what was saved once.
        workers: how many processes load it.
        bandwidth: of the network or disk between save and load, in bytes per second;
            infinite if the file stays in the page cache.
    """

    loads: int = 10
    workers: int = 1
    bandwidth: float = 125e6  # 1 Gbit/s

    def total(self, dump: Figure, load: Figure, size: Figure) -> Figure:
        """Return the seconds of one dump, all loads, and the bytes on their way each time.

        The interval adds up the ends of the parts': wider than it need be, never narrower.
        All three figures must have a value. `decide.js` calculates the same.
        """
        loads = self.loads * self.workers
        transfer = (1 + loads) * (size.value or 0.0) / self.bandwidth

        def add(one: float | None, other: float | None) -> float:
            return (one or 0.0) + transfer + loads * (other or 0.0)

        return Figure(
            dump.machine,
            dump.environment,
            "total",
            dump.pipeline,
            dump.backend,
            add(dump.value, load.value),
            "seconds",
            add(dump.low, load.low),
            add(dump.high, load.high),
            min(dump.samples, load.samples),
            "ok",
            "",
        )
