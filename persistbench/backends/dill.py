"""dill: pickle that also saves functions, classes and much else by value."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from persistbench.backends import Backend, Claims, Inspect, _disassembler
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class Dill(Backend):
    """``dill.dump`` and ``dill.load`` with dill's defaults."""

    requires = ("dill",)

    @property
    def id(self) -> str:
        return "dill"

    @property
    def claims(self) -> Claims:
        return Claims(carries_code=True)

    def import_modules(self, shared: bool = False) -> None:
        _dill()

    def dump(self, payload: Any, path: str) -> None:
        dill = _dill()
        with open(path, "wb") as file:
            dill.dump(payload, file)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        dill = _dill()
        with open(path, "rb") as file:
            return dill.load(file)

    def inspections(self) -> dict[str, Inspect]:
        return {"pickletools.dis": _disassembler.disassemble}


@cache
def _dill() -> Any:
    """Import dill, and leave the other picklers of this process as they are.

    The import of dill changes Python's own pickler. A later import of joblib copies the changed
    pickler, and joblib then saves more. ``dill.dump`` does not need the change.
    """
    import dill

    dill.extend(use_dill=False)
    return dill


BACKENDS = (Dill(),)
