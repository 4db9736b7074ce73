"""pickle-5 through Python's gzip and through Zstandard, without joblib."""

import pickle
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from persistbench.backends import Backend, Claims
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class _StreamPickle(Backend):
    """``pickle.dump`` into an open compressed file, and back."""

    level: int

    compressor: ClassVar[str]
    default: ClassVar[int]
    limit: ClassVar[str]

    @property
    def id(self) -> str:
        return f"pickle-5-{self.compressor}-{self.level}"

    @property
    def variant(self) -> bool:
        return self.level != self.default

    @property
    def size_limit(self) -> str:
        return f"{self.limit}; pickle.load asks for no limit"

    @property
    def why_not_mapped(self) -> str:
        return f"a file compressed with {self.compressor} cannot be memory-mapped"

    @abstractmethod
    def opened(self, path: str, mode: str) -> Any:
        """Return the compressed file, open for reading ("rb") or writing ("wb")."""

    def dump(self, payload: Any, path: str) -> None:
        with self.opened(path, "wb") as file:
            pickle.dump(payload, file, protocol=5)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            raise UnsupportedError(self.why_not_mapped)
        with self.opened(path, "rb") as file:
            return pickle.load(file)

    def read(self, path: str) -> int:
        with self.opened(path, "rb") as file:
            return len(file.read())


@dataclass(frozen=True)
class GzipPickle(_StreamPickle):
    """``gzip.open``, as many examples show it; its default level makes the smallest files."""

    compressor = "gzip"
    extension = ".pkl.gz"
    default = 9
    limit = "gzip: max_length of zlib's decompressobj, in code of one's own"

    @property
    def claims(self) -> Claims:
        return Claims(deterministic=False)  # the file holds the time

    def opened(self, path: str, mode: str) -> Any:
        import gzip

        return gzip.open(path, mode, compresslevel=self.level)


@dataclass(frozen=True)
class ZstdPickle(_StreamPickle):
    """Zstandard, by the ``zstandard`` package."""

    compressor = "zstd"
    extension = ".pkl.zst"
    default = 3
    limit = "zstd: max_window_size, by zstandard.open(dctx=...), for its own memory"
    requires = ("zstandard",)

    def opened(self, path: str, mode: str) -> Any:
        import zstandard

        if mode == "rb":
            return zstandard.open(path, mode)
        return zstandard.open(path, mode, cctx=zstandard.ZstdCompressor(level=self.level))


BACKENDS = (
    *(GzipPickle(level) for level in (1, GzipPickle.default)),
    *(ZstdPickle(level) for level in (1, ZstdPickle.default, 10)),
)
