"""What saving costs in all: one number for a way of working."""

from dataclasses import dataclass

from persistbench.records.figures import Figure


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
        All three figures must have a value; times are to be steady (`compare.steady`).
        `decide.js` calculates the same.
        """
        loads = self.loads * self.workers
        transfer = (1 + loads) * (size.value or 0.0) / self.bandwidth

        def add(end: str) -> float:
            one, other = (getattr(f, end) for f in (dump, load))
            one = dump.value if one is None else one
            other = load.value if other is None else other
            return float(one or 0.0) + transfer + loads * float(other or 0.0)

        return Figure(
            dump.machine,
            dump.environment,
            "total",
            dump.pipeline,
            dump.backend,
            add("value"),
            "seconds",
            add("low"),
            add("high"),
            min(dump.samples, load.samples),
            "ok",
            "",
            returns=dump.returns,
        )
