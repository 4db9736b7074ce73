"""pickle whose load admits only the names of a reviewed list."""

import pickle
from dataclasses import dataclass, replace
from typing import Any, Self

from persistbench.backends import Backend, Claims, Inspect, _disassembler
from persistbench.backends._reviewed import NAMES
from persistbench.errors import UnsupportedError


class NotOnListError(pickle.UnpicklingError):
    """A file asks for a name that is not on the list."""


class _Unpickler(pickle.Unpickler):
    """Refuses every name that is not on a list."""

    def __init__(self, file: Any, names: frozenset[tuple[str, str]]) -> None:
        super().__init__(file)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        # A pair, because a name with dots would be looked up step by step.
        if (module, name) not in self._names:
            raise NotOnListError(f"{module}.{name} is not on the reviewed list")
        return super().find_class(module, name)


@dataclass(frozen=True)
class AllowlistPickle(Backend):
    """``pickle.dump`` saves; an ``Unpickler`` whose ``find_class`` has a list loads.

    The list holds the reviewed names and the names in the pipeline's file. This is an example of
    https://docs.python.org/3/library/pickle.html#restricting-globals, and as good as the review:
    a file may call each name on the list with any arguments.

    Attributes:
        trusted: further names, such as ``("my_module.my_function",)``.
    """

    trusted: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return "pickle-5-allowlist"

    @property
    def claims(self) -> Claims:
        return Claims(executes_code=False)

    def trusting(self, names: tuple[str, ...]) -> Self:
        return replace(self, trusted=(*self.trusted, *names))

    def dump(self, payload: Any, path: str) -> None:
        with open(path, "wb") as file:
            pickle.dump(payload, file, protocol=5)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        own = {(module, name) for module, _, name in (one.rpartition(".") for one in self.trusted)}
        with open(path, "rb") as file:
            return _Unpickler(file, NAMES.union(own)).load()

    def refuses(self, error: Exception) -> bool:
        return isinstance(error, NotOnListError)

    def inspections(self) -> dict[str, Inspect]:
        return {"pickletools.dis": _disassembler.disassemble}


BACKENDS = (AllowlistPickle(),)
