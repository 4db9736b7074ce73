"""Unwraps what lies in a file, whatever compressed it: formats are known by their first bytes."""

import bz2
import importlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

_DEPTH = 3
"""So many wrappers, one in the other."""


def unwrap(data: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """Yield the bytes, and what is compressed anywhere in them; not what no library here opens."""
    yield data
    if not depth:
        return
    for magic, opened in _FORMATS.items():
        short = len(magic) < _TELLING  # these few bytes mean something at the start alone
        start = 0 if short and data.startswith(magic) else -1 if short else data.find(magic)
        while start >= 0:
            try:
                parts = list(opened(data[start:]))
            except Exception:  # the same bytes by chance, or a library that is not there
                parts = []
            for part in parts:
                yield from unwrap(part, depth - 1)
            # A zip is one from its first member on.
            start = -1 if short or (parts and opened is _members) else data.find(magic, start + 1)


def _stream(decompressor: Callable[[], Any]) -> Callable[[bytes], Iterator[bytes]]:
    """Return what opens one stream, and does not mind what lies behind it."""

    def opened(data: bytes) -> Iterator[bytes]:
        yield decompressor().decompress(data)

    return opened


def _members(data: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        yield from map(archive.read, archive.namelist())


def _zstandard() -> Any:
    return importlib.import_module("zstandard").ZstdDecompressor().decompressobj()


def _lz4() -> Any:
    return importlib.import_module("lz4.frame").LZ4FrameDecompressor()


def _blosc2(data: bytes) -> Iterator[bytes]:
    length = int.from_bytes(data[_FRAME_LENGTH], "big")
    chunks = importlib.import_module("blosc2").schunk_from_cframe(data[:length])
    yield bytes(chunks[:])


_FRAME_LENGTH = slice(16, 24)
"""In the header of Blosc2's frame: https://github.com/Blosc/c-blosc2/blob/main/README_CFRAME_FORMAT.rst"""

_TELLING = 3
_FORMATS: dict[bytes, Callable[[bytes], Iterator[bytes]]] = {
    b"PK\x03\x04": _members,
    b"\x1f\x8b\x08": _stream(partial(zlib.decompressobj, 16 + zlib.MAX_WBITS)),
    b"BZh": _stream(bz2.BZ2Decompressor),
    b"\xfd7zXZ\x00": _stream(lzma.LZMADecompressor),
    b"\x28\xb5\x2f\xfd": _stream(_zstandard),
    b"\x04\x22\x4d\x18": _stream(_lz4),
    b"\x9e\xa8b2frame": _blosc2,
    b"\x78": _stream(zlib.decompressobj),
    b"\x5d": _stream(lzma.LZMADecompressor),
}
