"""The floor: the bytes of the pickle-5 artifact written, read or mapped with no format."""

import mmap
import os
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

    @property
    def modules(self) -> tuple[str, ...]:
        return ("numpy",)

    def payload(self, estimator: Any, rows: Any) -> bytes:
        """Return the bytes that pickle-5 writes for this estimator."""
        return pickle.dumps(estimator, protocol=5)

    def dump(self, payload: bytes, path: str) -> None:
        with open(path, "wb") as file:
            file.write(payload)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        """Return the bytes, in memory of NumPy.

        NumPy asks Linux for huge pages. Python's own bytes have none, and first calls then take
        up to three times as long: whoever reads into arrays would beat the floor.
        """
        import numpy as np

        with open(path, "rb") as file:
            if mmap_mode is not None:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            result = np.empty(os.fstat(file.fileno()).st_size, dtype=np.uint8)
            file.readinto(result.data)
            return result


BACKENDS = (Raw(),)
