"""One file for a pickle and its out-of-band buffers, aligned so that a map can use them.

Python has no format for such a file: PEP 574 leaves the format to its users. This format is a
header, the pickle, the blocks, and a table of the blocks. Each block begins at a multiple of
:data:`ALIGNMENT`. The file is written from front to end, and nothing is copied.
"""

import mmap
import pickle
import struct
from collections.abc import Callable, Iterable
from typing import Any

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector registers."""

MAGIC = b"pickle5b"
"""The first bytes of such a file."""

_HEADER = struct.Struct("<8sQQQ")  # magic, length of the pickle, start of the table, blocks
_EXTENT = struct.Struct("<QQ")  # start and length of a block


def write(path: str, payload: Any, blocks: Callable[[pickle.PickleBuffer], Any]) -> None:
    """Pickle with protocol 5, and write the buffers after the pickle.

    Args:
        path: of the file.
        payload: the object to pickle.
        blocks: returns the block of a buffer, as bytes or a buffer.
    """
    buffers: list[pickle.PickleBuffer] = []
    with open(path, "wb") as file:
        file.write(bytes(_HEADER.size))
        pickle.dump(payload, file, protocol=5, buffer_callback=buffers.append)
        end, extents = file.tell(), []
        length = end - _HEADER.size
        for buffer in buffers:
            block = blocks(buffer)
            start = -(-end // ALIGNMENT) * ALIGNMENT
            file.write(bytes(start - end))
            end = start + file.write(block)
            extents.append((start, end - start))
        for extent in extents:
            file.write(_EXTENT.pack(*extent))
        file.seek(0)
        file.write(_HEADER.pack(MAGIC, length, end, len(extents)))


def read(whole: memoryview, buffers: Callable[[memoryview], Any]) -> Any:
    """Unpickle from the bytes of a file.

    Args:
        whole: the file, read or mapped; the loaded arrays keep it alive.
        buffers: returns the buffer of a block.

    Raises:
        pickle.UnpicklingError: the file has another format.
    """
    return pickle.loads(pickled(whole), buffers=map(buffers, blocks(whole)))


def blocks(whole: memoryview) -> Iterable[memoryview]:
    """Yield the blocks of a file."""
    _, _, table, count = _checked(whole)
    for index in range(count):
        start, size = _EXTENT.unpack_from(whole, table + index * _EXTENT.size)
        yield whole[start : start + size]


def mapped(path: str) -> memoryview:
    """Return the file as a read-only memory map."""
    with open(path, "rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def in_memory(path: str) -> memoryview:
    """Return the file in one aligned block of writable memory."""
    import numpy as np

    with open(path, "rb", buffering=0) as file:
        size = file.seek(0, 2)
        file.seek(0)
        # NumPy does not fill this memory with zeros first.
        room = np.empty(size + ALIGNMENT, dtype=np.uint8)
        start = -room.ctypes.data % ALIGNMENT
        block = memoryview(room[start : start + size])  # type: ignore[arg-type]
        done = 0
        while done < size and (got := file.readinto(block[done:])):  # Linux stops at 2 GB
            done += got
    return block


def framed(pickle: bytes) -> bytes:
    """Return the file that holds a pickle without buffers."""
    return _HEADER.pack(MAGIC, len(pickle), _HEADER.size + len(pickle), 0) + pickle


def pickled(whole: memoryview) -> memoryview:
    """Return the pickle in a file."""
    _, length, _, _ = _checked(whole)
    return whole[_HEADER.size : _HEADER.size + length]


def _checked(whole: memoryview) -> tuple[bytes, int, int, int]:
    header: tuple[bytes, int, int, int] = (b"", 0, 0, 0)
    if len(whole) >= _HEADER.size:
        header = _HEADER.unpack_from(whole)
    if header[0] != MAGIC:
        raise pickle.UnpicklingError("this is no pickle with out-of-band buffers behind it")
    return header
