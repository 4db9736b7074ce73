"""cloudpickle: pickle that also saves functions and classes that cannot be imported."""

import pickle
from dataclasses import dataclass
from typing import Any

from persistbench.backends import Backend, Claims, Inspect, _disassembler
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class Cloudpickle(Backend):
    """``cloudpickle.dump`` saves and ``pickle.load`` loads, as its documentation shows."""

    requires = ("cloudpickle",)

    @property
    def id(self) -> str:
        return "cloudpickle"

    @property
    def claims(self) -> Claims:
        return Claims(carries_code=True)

    def dump(self, payload: Any, path: str) -> None:
        import cloudpickle

        with open(path, "wb") as file:
            cloudpickle.dump(payload, file)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        with open(path, "rb") as file:
            return pickle.load(file)

    def inspections(self) -> dict[str, Inspect]:
        return {"pickletools.dis": _disassembler.disassemble}


BACKENDS = (Cloudpickle(),)
