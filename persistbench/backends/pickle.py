"""Python's own pickle, every protocol."""

import pickle
from dataclasses import dataclass
from typing import Any

from persistbench.backends import Backend, Inspect, _disassembler
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class Pickle(Backend):
    """``pickle.dump`` and ``pickle.load`` on an open file.

    Protocol 0 is text (Python 1), 1 and 2 are binary (2: Python 2.3), 3 knows bytes
    (3.0), 4 knows large objects (3.4), 5 knows buffers (3.8, PEP 574; here in-band).
    """

    protocol: int

    @property
    def id(self) -> str:
        return f"pickle-{self.protocol}"

    def dump(self, payload: Any, path: str) -> None:
        with open(path, "wb") as file:
            pickle.dump(payload, file, protocol=self.protocol)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        with open(path, "rb") as file:
            return pickle.load(file)

    def inspections(self) -> dict[str, Inspect]:
        return {"pickletools.dis": _disassembler.disassemble}


BACKENDS = tuple(Pickle(protocol) for protocol in range(6))
