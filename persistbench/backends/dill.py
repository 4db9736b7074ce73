"""dill: pickle that also saves functions, classes and much else by value."""

from dataclasses import dataclass
from typing import Any

from persistbench.backends._base import Backend, Claims
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

    def dump(self, payload: Any, path: str) -> None:
        import dill

        with open(path, "wb") as file:
            dill.dump(payload, file)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        import dill

        with open(path, "rb") as file:
            return dill.load(file)


BACKENDS = (Dill(),)
