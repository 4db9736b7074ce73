"""The wrappers of artifacts, known by their first bytes, so that crafted ones are wrapped alike.

No backend is named here: what has other first bytes is taken as it is.
"""

import io
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from persistbench.backends import _container


@dataclass(frozen=True)
class Format:
    """A wrapper around bytes.

    Attributes:
        magic: its first bytes.
        unwrap: returns what is inside.
        wrap: returns it around other bytes.
        claim: returns bytes wrapped with the claim that so many are inside; None if its header
            has no place for that.
    """

    magic: bytes
    unwrap: Callable[[bytes], bytes]
    wrap: Callable[[bytes], bytes]
    claim: Callable[[bytes, int], bytes] | None = None


def of(data: bytes) -> Format:
    """Return the format of an artifact; :data:`PLAIN` if it is none of these."""
    return next((one for one in FORMATS if data.startswith(one.magic)), PLAIN)


def is_pickle(plain: bytes) -> bool:
    """Return whether unwrapped bytes are a pickle: of protocol 2 or newer, or of text."""
    return plain[:1] == b"\x80" or (plain[:1] in b"c(" and plain[-1:] == b".")


def is_schema(data: bytes) -> bool:
    """Return whether an artifact is a zip with a schema in JSON."""
    file = io.BytesIO(data)
    return zipfile.is_zipfile(file) and "schema.json" in zipfile.ZipFile(file).namelist()


def rezipped(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return a zip with other contents, compressed as before, with right checksums."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(changed, "w") as after:
        for member in before.infolist():
            content = change(member.filename, before.read(member))
            after.writestr(member.filename, content, compress_type=member.compress_type)
    return changed.getvalue()


def claiming(plain: bytes, numbers: dict[int, int]) -> bytes:
    """Return bytes in which each encoding of some numbers says a larger one.

    Args:
        plain: unwrapped.
        numbers: the larger number for each.
    """
    for number, more in numbers.items():
        for code in ("<Q", ">Q", "<I"):
            if more < 2 ** (8 * struct.calcsize(code)):
                plain = plain.replace(struct.pack(code, number), struct.pack(code, more))
        plain = re.sub(rb"(?<=I)%d(?=\n)" % number, b"%d" % more, plain)  # a pickle of text
        longer = len(str(more)) - len(str(number))  # NumPy pads its header with blanks
        header = rb"(\'shape\': \()%d(.*?)( {%d})( *\n)" % (number, longer)
        plain = re.sub(header, rb"\g<1>%d\g<2>\g<4>" % more, plain)
    return plain


def _unpacked(module: str) -> Callable[[bytes], bytes]:
    return lambda data: bytes(import_module(module).decompress(data))


def _packed(module: str) -> Callable[[bytes], bytes]:
    return lambda plain: bytes(import_module(module).compress(plain))


def _lzma_alone(plain: bytes) -> bytes:
    import lzma

    return lzma.compress(plain, format=lzma.FORMAT_ALONE)


def _unzstd(data: bytes) -> bytes:
    import zstandard

    with zstandard.open(io.BytesIO(data), "rb") as file:
        return bytes(file.read())


def _claim_gzip(plain: bytes, size: int) -> bytes:
    return _packed("gzip")(plain)[:-4] + struct.pack("<I", size)


def _claim_lzma(plain: bytes, size: int) -> bytes:
    packed = _lzma_alone(plain)
    return packed[:5] + struct.pack("<Q", size) + packed[13:]


def _claim_lz4(plain: bytes, size: int) -> bytes:
    from lz4 import frame

    # Its compressor would not end a frame of another size: the blocks are those of another frame.
    unsized = frame.compress(plain, store_size=False)
    header = frame.compress_begin(frame.create_compression_context(), source_size=size)
    return bytes(header + unsized[_UNSIZED_LZ4:])


def _claim_zstd(plain: bytes, size: int) -> bytes:
    # RFC 8878: a content size of 8 bytes, a window of 1 MB, one raw block that is the last.
    part = plain[: 2**16]
    header = b"\x28\xb5\x2f\xfd" + bytes([0b11000000, 10 << 3]) + struct.pack("<Q", size)
    return header + struct.pack("<I", len(part) << 3 | 1)[:3] + part


_UNSIZED_LZ4 = 7
"""Bytes of a header without a size: magic, flags, size of blocks, checksum."""

PLAIN = Format(b"", bytes, bytes)
CONTAINER = Format(
    _container.MAGIC, lambda data: bytes(_container.pickled(memoryview(data))), _container.framed
)
FORMATS = (
    CONTAINER,
    Format(b"\x1f\x8b", _unpacked("gzip"), _packed("gzip"), _claim_gzip),
    Format(b"\x78", _unpacked("zlib"), _packed("zlib")),
    Format(b"BZh", _unpacked("bz2"), _packed("bz2")),
    Format(b"\xfd7zXZ", _unpacked("lzma"), _packed("lzma")),
    Format(b"\x5d\x00\x00", _unpacked("lzma"), _lzma_alone, _claim_lzma),
    Format(b"\x04\x22\x4d\x18", _unpacked("lz4.frame"), _packed("lz4.frame"), _claim_lz4),
    Format(b"\x28\xb5\x2f\xfd", _unzstd, _packed("zstandard"), _claim_zstd),
)
