"""joblib with Zstandard, added by joblib's own ``register_compressor``."""

import io
from dataclasses import dataclass
from functools import cache
from typing import Any

from persistbench.backends.joblib import CompressedJoblib


@dataclass(frozen=True)
class ZstdJoblib(CompressedJoblib):
    """A process can load the file only after it registered the same compressor.

    joblib accepts no level above 9.
    """

    requires = ("joblib", "zstandard")

    @property
    def variant(self) -> bool:
        return self.level != _DEFAULT

    def dump(self, payload: Any, path: str) -> None:
        _teach_joblib()
        super().dump(payload, path)

    def load(self, path: str, mmap_mode: str | None = None) -> Any:
        _teach_joblib()
        return super().load(path, mmap_mode)

    def map_unchecked(self, source: Any, mmap_mode: str) -> Any:
        _teach_joblib()
        return super().map_unchecked(source, mmap_mode)

    def read(self, path: str) -> int:
        import zstandard

        with zstandard.open(path, "rb") as file:
            return len(file.read())


@cache
def _teach_joblib() -> None:
    import zstandard
    from joblib import register_compressor
    from joblib.compressor import CompressorWrapper

    class Wrapper(CompressorWrapper):  # type: ignore[misc]
        """joblib finds this class by the first bytes, the extension or the name of a file."""

        def __init__(self) -> None:
            # joblib reads the methods of this class of files, and calls the methods below.
            super().__init__(io.BufferedIOBase, zstandard.FRAME_HEADER, ".zst")

        def compressor_file(self, fileobj: Any, compresslevel: int | None = None) -> Any:
            level = _DEFAULT if compresslevel is None else compresslevel
            return zstandard.open(fileobj, "wb", cctx=zstandard.ZstdCompressor(level=level))

        def decompressor_file(self, fileobj: Any) -> Any:
            return zstandard.open(fileobj, "rb", closefd=False)  # joblib closes what it opened

    register_compressor("zstd", Wrapper())


_DEFAULT = 3
BACKENDS = tuple(ZstdJoblib("zstd", level) for level in (1, _DEFAULT, 9))
