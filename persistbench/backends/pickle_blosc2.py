"""Protocol 5 with out-of-band buffers; Blosc2 shuffles and compresses each buffer."""

import pickle
from dataclasses import dataclass
from typing import Any

from persistbench.backends import Backend, _container
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class Blosc2Pickle(Backend):
    """Blosc2 with its default codec (Zstandard) and its default filter.

    It uses one thread, like the other compressors here; its own default is more.

    Attributes:
        level: of the compression, 1 to 9; Blosc2's default is 5.
    """

    level: int

    requires = ("blosc2",)

    @property
    def id(self) -> str:
        return f"pickle-5-blosc2-{self.level}"

    @property
    def variant(self) -> bool:
        return self.level != _DEFAULT

    @property
    def why_not_mapped(self) -> str:
        return "a file compressed with Blosc2 cannot be memory-mapped"

    def dump(self, payload: Any, path: str) -> None:
        _container.write(path, payload, self._compressed)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        return _container.read(_container.in_memory(path), _decompressed)

    def read(self, path: str) -> int:
        whole = _container.in_memory(path)
        return sum(len(_decompressed(block)) for block in _container.blocks(whole))

    def _compressed(self, buffer: pickle.PickleBuffer) -> Any:
        import blosc2
        import numpy as np

        raw = np.frombuffer(buffer.raw(), dtype=np.uint8)
        if not raw.nbytes:
            return b""
        parameters = {"clevel": self.level, "typesize": _item_size(buffer), "nthreads": 1}
        return blosc2.SChunk(data=raw, cparams=parameters).to_cframe()


def _item_size(buffer: pickle.PickleBuffer) -> int:
    """Return the bytes of one number, which the shuffle needs. Blosc2 accepts at most 255."""
    size = memoryview(buffer).itemsize
    return size if size <= 255 else 1


def _decompressed(block: memoryview) -> Any:
    import blosc2
    import numpy as np

    if not block:
        return bytearray()
    chunks = blosc2.schunk_from_cframe(bytes(block))
    chunks.dparams = blosc2.DParams(nthreads=1)
    result = np.empty(chunks.nbytes, dtype=np.uint8)
    chunks.get_slice(0, len(chunks), out=result)
    return memoryview(result)  # type: ignore[arg-type]


_DEFAULT = 5
BACKENDS = tuple(Blosc2Pickle(level) for level in (1, _DEFAULT, 9))
