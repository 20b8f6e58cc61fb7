"""PNG files as small as they can be while every colour stays what it is.

Chapter: all.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image

TOLERANCE = 4  # of 255 levels, at the blended edges of letters and lines; a flat colour stays exact
_PALETTE = 256  # colours that an indexed PNG can have
_MANY = 4096  # more colours than this belong to a colour scale or a photograph


def compact_png(data: bytes) -> bytes:
    """The same picture in fewer bytes, on white paper where it is transparent.

    The smooth edge of a letter passes through up to 256 shades of its colour. Shades that differ from a more frequent
    one by at most TOLERANCE levels in each channel become that one; where at most 256 colours are left, they are
    stored as an index. A picture with more colours than that is stored without any change.
    """
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    pixels = np.asarray(Image.alpha_composite(paper, picture).convert("RGB"))  # [height, width, 3]
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    found, index, count = np.unique(packed, return_inverse=True, return_counts=True)
    if len(found) <= _MANY:
        colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
        kept, nearest = _merge(colours, count)
        if len(kept) <= _PALETTE:
            rows = nearest[index].reshape(packed.shape).astype(np.uint8)
            return _encode(rows, kept)
    return _encode(pixels.reshape(len(pixels), -1), None)


def _merge(colours: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colours that stay `[K, 3]`, the most frequent first, and for each colour the index of the one it becomes.

    Where more than 256 stay, the search ends there.
    """
    kept = np.empty((0, 3), int)
    nearest = np.empty(len(colours), int)
    for i in np.argsort(-count, kind="stable"):
        distance = np.abs(kept - colours[i]).max(axis=1)
        if len(kept) and distance.min() <= TOLERANCE:
            nearest[i] = distance.argmin()
        else:
            nearest[i] = len(kept)
            if len(kept) > _PALETTE:
                break  # too many for an index, whatever the others become
            kept = np.vstack([kept, colours[i]])
    return kept.astype(np.uint8), nearest


def _encode(rows: np.ndarray, colours: np.ndarray | None) -> bytes:
    """A PNG of rows of bytes `[height, bytes]`: indices into `colours` `[K, 3]`, or red, green and blue in turn."""
    height, width = rows.shape[0], rows.shape[1] // (1 if colours is not None else 3)
    header = struct.pack(">IIBBBBB", width, height, 8, 3 if colours is not None else 2, 0, 0, 0)
    unfiltered = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    parts = [(b"IHDR", header)] + ([(b"PLTE", colours.tobytes())] if colours is not None else [])
    parts += [(b"IDAT", zlib.compress(unfiltered, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, parts))


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    name, data = part
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
