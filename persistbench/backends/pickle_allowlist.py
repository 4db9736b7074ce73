"""pickle whose load admits only the names of a reviewed list."""

import pickle
import sys
from dataclasses import dataclass, replace
from typing import Any, Self

from persistbench.backends import Backend, Claims, Inspect, _disassembler, checked
from persistbench.backends._reviewed import NAMES
from persistbench.errors import UnsupportedError


class NotOnListError(pickle.UnpicklingError):
    """A file asks for a name that is not on the list."""


class _Unpickler(pickle.Unpickler):
    """Refuses every name that is neither reviewed nor trusted.

    A file asks for a module and a name, and each dot of the name is a step to an attribute. A
    reviewed name is one such pair. A trusted name is one text, because users write and read it
    so. A file may split the text as it likes: ``("a", "b.c")`` and ``("a.b", "c")`` are both
    ``a.b.c``. No split takes a step, or imports a module, that is not in the text. Two splits
    give two objects only if ``a.b`` is a module and ``a`` holds something else as ``b``. The
    module wins then, so that a trusted name means one object.
    """

    def __init__(self, file: Any, trusted: tuple[str, ...]) -> None:
        # Names of Python 2 are otherwise translated after they were admitted: an own module
        # `commands` would be subprocess.
        super().__init__(file, fix_imports=False)
        self._trusted = frozenset(trusted)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in NAMES:
            return super().find_class(module, name)
        full = f"{module}.{name}"
        if full not in self._trusted:
            raise NotOnListError(f"{full} is not on the reviewed list{_WARNINGS.get(full, '')}")
        result = super().find_class(module, name)
        # Asked only now, when the module is imported: its import may import the others.
        longer = module
        for step in name.split(".")[:-1]:
            longer = f"{longer}.{step}"
            if longer in sys.modules:
                raise NotOnListError(f"{full} is not in {module}, because {longer} is a module")
        return result


_WARNINGS = {
    "builtins.getattr": (
        ": a bound method asks for it, and a list with it admits any code. Use a function "
        "at the top of a module instead"
    )
}


@dataclass(frozen=True)
class AllowlistPickle(Backend):
    """``pickle.dump`` saves; an ``Unpickler`` whose ``find_class`` has a list loads.

    The list holds the reviewed names and the names in the pipeline's file. This is an example of
    https://docs.python.org/3/library/pickle.html#restricting-globals. The list limits the names and
    not the arguments: a file may call each name on it, and each object that it made, with any
    arguments. So the list does not make a stranger's file harmless.

    Attributes:
        trusted: further names, such as ``("my_module.my_function",)``.
    """

    trusted: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return "pickle-5-allowlist"

    @property
    def claims(self) -> Claims:
        return Claims(restricted=True)

    def trusting(self, names: tuple[str, ...]) -> Self:
        return replace(self, trusted=(*self.trusted, *checked(names)))

    def dump(self, payload: Any, path: str) -> None:
        with open(path, "wb") as file:
            pickle.dump(payload, file, protocol=5)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        with open(path, "rb") as file:
            return _Unpickler(file, self.trusted).load()

    def refuses(self, error: Exception) -> bool:
        return isinstance(error, NotOnListError)

    def inspections(self) -> dict[str, Inspect]:
        return {"pickletools.dis": _disassembler.disassemble}


BACKENDS = (AllowlistPickle(),)
