"""Pixels to files: PNG with its resolution and color space, and a text if it has one; TIFF as journals take it.

Pixels are sRGB, (height, width, 4), uint8, straight alpha. What is opaque is written without alpha.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PERCEPTUAL = b"\0"  # the rendering intent that pictures have
COLORS = 256  # of a palette
PACKED = 2  # of 9: a third of the time of the usual 6, for files a fifth larger
MOST_TEXT = 16_000_000  # bytes of a text in a PNG, unpacked
COMPRESSED = 1
PACKED = 2  # of 9: a third of the time of the usual 6, for files a fifth larger


def write_png(
    file: BinaryIO, pixels: NDArray[np.uint8], dpi: float, *, palette: bool = False, texts: dict[str, str] | None = None
) -> None:
    """Write a PNG.

    Parameters
    ----------
    file : open binary file
    pixels : ndarray, shape (height, width, 4), uint8
    dpi : float
    palette : bool
        Whether 8 bits are written for a pixel where nothing is lost: grays, or at most 256 colors.
    texts : mapping, optional
        Keyword to text; packed.
    """
    info = PngInfo()
    info.add(b"sRGB", PERCEPTUAL)
    for keyword, text in (texts or {}).items():
        info.add_itxt(keyword, text, zip=len(text) > 200)
    image = (_small(pixels) if palette else None) or _opaque(pixels)
    image.save(file, format="PNG", dpi=(dpi, dpi), pnginfo=info, compress_level=PACKED)


def write_tiff(file: BinaryIO, pixels: NDArray[np.uint8], dpi: float) -> None:
    """Write a TIFF, packed without loss (LZW)."""
    _opaque(pixels).save(file, format="TIFF", dpi=(dpi, dpi), compression="tiff_lzw")


def read_text(path: Path, keyword: str) -> str | None:
    """A text that a PNG carries, None if there is none by this keyword.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, it is no PNG, or is cut short; or the text is larger than a picture's can be.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with path.open("rb") as file:
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise ValueError(f"{path}: must be a PNG; it starts otherwise")
        for kind, body in _texts(file, path):
            name, _, rest = body.partition(b"\0")
            if kind == b"iTXt" and name == keyword.encode("latin-1"):
                return _unpacked(rest, path)
    return None


def _texts(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The international texts of a PNG; other chunks are passed over."""
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise ValueError(f"{path}: must be a whole PNG; it is cut short")
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IEND":
            return
        if kind != b"iTXt":
            file.seek(size + 4, 1)
            continue
        if size > MOST_TEXT:
            raise ValueError(f"{path}: its text must have at most {MOST_TEXT:,} bytes; it has {size:,}")
        body, check = file.read(size), file.read(4)
        if len(check) < 4:
            raise ValueError(f"{path}: must be a whole PNG; it is cut short")
        if check != zlib.crc32(kind + body).to_bytes(4, "big"):
            raise ValueError(f"{path}: must be a whole PNG; the checksum of its text is wrong")
        yield kind, body


def _unpacked(rest: bytes, path: Path) -> str:
    """The text after an iTXt's keyword: flag, method, language, translated keyword, text."""
    packed, languages = rest[:1] == bytes([COMPRESSED]), rest[2:]
    text = languages.partition(b"\0")[2].partition(b"\0")[2]
    try:
        if packed:
            unpacker = zlib.decompressobj()
            text = unpacker.decompress(text, MOST_TEXT)
            if unpacker.unconsumed_tail:
                raise ValueError(f"at most {MOST_TEXT:,} bytes")
        return text.decode("utf-8")
    except (zlib.error, ValueError) as error:
        raise ValueError(f"{path}: its text cannot be read; {error}") from None


def _opaque(pixels: NDArray[np.uint8]) -> Image.Image:
    """The image, without alpha if it is opaque everywhere."""
    image = Image.fromarray(pixels)
    return image if (pixels[..., 3] < 255).any() else image.convert("RGB")


def _small(pixels: NDArray[np.uint8]) -> Image.Image | None:
    """The image in 8 bits a pixel, None where something would be lost."""
    if (pixels[..., 3] < 255).any():
        return None
    red, green, blue = (pixels[..., n] for n in range(3))
    if (red == green).all() and (green == blue).all():
        return Image.fromarray(np.ascontiguousarray(red))
    packed: NDArray[Any] = (red.astype(np.uint32) << 16) | (green.astype(np.uint32) << 8) | blue
    if np.unique(packed[::7, ::7]).size > COLORS:
        return None
    tones, index = np.unique(packed, return_inverse=True)
    if tones.size > COLORS:
        return None
    image = Image.fromarray(index.reshape(packed.shape).astype(np.uint8), mode="L")
    image.putpalette(np.stack([tones >> 16, tones >> 8 & 255, tones & 255], axis=-1).astype(np.uint8).tobytes())
    return image
