"""Protocol 5 with out-of-band buffers (PEP 574): the file holds arrays as the memory does."""

import pickle
from dataclasses import dataclass
from typing import Any

from persistbench.backends import Backend, Claims, _container
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class OutOfBandPickle(Backend):
    """All arrays are views: of one block of memory after a load, of the file after a map."""

    @property
    def id(self) -> str:
        return "pickle-5-oob"

    @property
    def claims(self) -> Claims:
        return Claims(memory_maps=True)

    def dump(self, payload: Any, path: str) -> None:
        _container.write(path, payload, pickle.PickleBuffer.raw)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode not in (None, "r"):
            raise UnsupportedError(f"{self.id} maps to read only, not {mmap_mode!r}")
        opened = _container.mapped if mmap_mode else _container.in_memory
        return _container.read(opened(path), lambda block: block)


BACKENDS = (OutOfBandPickle(),)
