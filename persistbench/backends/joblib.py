"""joblib without compression, which can map, and with its compressors, which cannot."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from persistbench.backends import Backend, Claims
from persistbench.errors import UnsupportedError


@dataclass(frozen=True)
class Joblib(Backend):
    """``joblib.dump`` and ``joblib.load`` without compression."""

    requires = ("joblib",)
    extension = ".joblib"

    @property
    def id(self) -> str:
        return "joblib"

    @property
    def claims(self) -> Claims:
        return Claims(memory_maps=True)

    def dump(self, payload: Any, path: str) -> None:
        import joblib

        joblib.dump(payload, path)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        import joblib

        return joblib.load(path, mmap_mode=mmap_mode)

    def map_unchecked(self, source: Any, mmap_mode: str) -> Any:
        import joblib

        return joblib.load(source, mmap_mode=mmap_mode)


@dataclass(frozen=True)
class CompressedJoblib(Backend):
    """``joblib.dump`` with a compressor and its level."""

    compressor: str
    level: int

    requires: ClassVar[tuple[str, ...]] = ("joblib",)
    extension = ".joblib"

    @property
    def id(self) -> str:
        return f"joblib-{self.compressor}-{self.level}"

    @property
    def variant(self) -> bool:
        # gzip is zlib, and xz is lzma, in another container.
        return (self.compressor, self.level) not in _USUAL

    @property
    def size_limit(self) -> str:
        asked = _LIMITS.get(self.compressor, "max_length of its decompressor")
        return f"{self.compressor}: {asked}, in code of one's own; joblib.load passes no limit on"

    @property
    def why_not_mapped(self) -> str:
        return f"a file compressed with {self.compressor} cannot be memory-mapped"

    def dump(self, payload: Any, path: str) -> None:
        import joblib

        joblib.dump(payload, path, compress=(self.compressor, self.level))

    def read(self, path: str) -> int:
        module = {"xz": "lzma", "lz4": "lz4.frame"}.get(self.compressor, self.compressor)
        decompress = import_module(module).decompress
        with open(path, "rb") as file:
            return len(decompress(file.read()))

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        if mmap_mode is not None:
            # joblib itself warns and then reads the whole file into memory.
            raise UnsupportedError(self.why_not_mapped)
        import joblib

        return joblib.load(path)

    def map_unchecked(self, source: Any, mmap_mode: str) -> Any:
        import joblib

        return joblib.load(source, mmap_mode=mmap_mode)


@dataclass(frozen=True)
class Lz4Joblib(CompressedJoblib):
    """The only compressor of joblib that comes from another distribution."""

    requires = ("joblib", "lz4")


_LIMITS = dict.fromkeys(("lzma", "xz"), "max_length and memlimit of LZMADecompressor")
_LIMITS["zstd"] = (
    "max_window_size of ZstdDecompressor; its max_output_size does not hold for a frame that "
    "says its size"
)

_USUAL = {("zlib", 1), ("zlib", 3), ("zlib", 9), ("bz2", 3), ("lzma", 3), ("lz4", 1), ("lz4", 3)}

BACKENDS = (
    Joblib(),
    *(CompressedJoblib("zlib", level) for level in range(1, 10)),
    *(CompressedJoblib(name, 3) for name in ("gzip", "bz2", "lzma", "xz")),
    Lz4Joblib("lz4", 1),
    Lz4Joblib("lz4", 3),
)
