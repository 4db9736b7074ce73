"""The floor: the bytes of the pickle-5 artifact written, read or mapped with no format."""

import mmap
import pickle
from dataclasses import dataclass
from typing import Any

from persistbench.backends import Backend, Claims


@dataclass(frozen=True)
class Raw(Backend):
    """One write, one read or one map: no backend with the same bytes can be faster."""

    @property
    def id(self) -> str:
        return "raw"

    @property
    def claims(self) -> Claims:
        return Claims(memory_maps=True, returns="bytes", executes_code=False)

    def payload(self, estimator: Any, rows: Any) -> bytes:
        """Return the bytes that pickle-5 writes for this estimator."""
        return pickle.dumps(estimator, protocol=5)

    def dump(self, payload: bytes, path: str) -> None:
        with open(path, "wb") as file:
            file.write(payload)

    def load(self, path: str, mmap_mode: str | None = None) -> bytes | mmap.mmap:
        with open(path, "rb") as file:
            if mmap_mode is not None:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return file.read()


BACKENDS = (Raw(),)
