"""Maps in files: one ``.npz`` with the weights, the labels, the images, and nothing executable."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .attention import Attention
from .axes import Axis, Boxes, Patches, Segment, Tokens
from .images import Image, read_image
from .labels import SCHEMES, Scheme
from .made import Made

FORMAT = "attn_widget"
VERSION = 1

_BLOCK_BYTES = 32 * 1024 * 1024


def save(attention: Attention, path: str | os.PathLike[str]) -> None:
    """Write a map to a file that appears whole or not at all.

    Weights are read and written in blocks, so that a map may be larger than memory.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            _write(archive, attention)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def load(path: str | os.PathLike[str]) -> Attention:
    """Read a map that `save` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not one of ours, is damaged, or is of a newer version.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)} is not a file of attn_widget: {error}") from error
    with archive:
        if "header.npy" not in archive.namelist():
            raise ValueError(f"{os.fspath(path)} is not a file of attn_widget: no header")
        try:
            header = _header(archive)
            version = header["version"]
            if version <= VERSION:
                return _attention(archive, header)
        except MemoryError:
            raise
        # What a damaged file makes of zip, npy and JSON has no common ancestor.
        except Exception as error:
            raise ValueError(f"{os.fspath(path)} is damaged: {error!r}") from error
    raise ValueError(
        f"{os.fspath(path)} is of version {version} of the file format, this attn_widget reads "
        f"up to {VERSION}: update it"
    )


def _write(archive: zipfile.ZipFile, attention: Attention) -> None:
    images: list[Image] = []
    shared = attention.keys is attention.queries
    header = {
        "format": FORMAT,
        "version": VERSION,
        "kind": attention.kind,
        "name": attention.name,
        "queries": [_described(segment, images) for segment in attention.queries.segments],
        "keys": None
        if shared
        else [_described(segment, images) for segment in attention.keys.segments],
        "made": [step.record() for step in attention.made],
    }
    # surrogatepass: a label may hold half a surrogate pair, which JSON escapes would join.
    text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
    _put(archive, "header", np.frombuffer(text, dtype=np.uint8))
    for number, image in enumerate(images):
        _put(archive, f"image_{number}", image)
    stored = np.dtype("<f2") if attention.dtype == np.float16 else np.dtype("<f4")
    with archive.open("weights.npy", "w", force_zip64=True) as entry:
        npy.write_array_header_1_0(
            entry,
            {"descr": stored.str, "fortran_order": False, "shape": attention.shape},
        )
        for block in _blocks(attention):
            entry.write(block.astype(stored).tobytes())


def _blocks(attention: Attention) -> Iterator[NDArray[np.float32]]:
    layers, heads, queries, keys = attention.shape
    rows = max(1, _BLOCK_BYTES // max(1, 4 * keys))
    for layer in range(layers):
        for head in range(heads):
            for start in range(0, queries, rows):
                yield attention[layer, head, start : start + rows]


def _put(archive: zipfile.ZipFile, name: str, array: NDArray[np.uint8]) -> None:
    with archive.open(f"{name}.npy", "w") as entry:
        npy.write_array(entry, array, allow_pickle=False)


def _get(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read an array, its size checked against its header before memory is asked for."""
    with archive.open(f"{name}.npy") as entry:
        if npy.read_magic(entry) != (1, 0):
            raise ValueError(f"{name} is of another npy version")
        shape, fortran, dtype = npy.read_array_header_1_0(entry)
        if dtype.hasobject or fortran:
            raise ValueError(f"{name} must hold plain numbers in C order; got {dtype}")
        size = archive.getinfo(f"{name}.npy").file_size - entry.tell()
        if size != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} has {size} bytes, which do not make {shape} of {dtype}")
        return np.frombuffer(entry.read(), dtype=dtype).reshape(shape)


def _header(archive: zipfile.ZipFile) -> dict[str, Any]:
    text = _get(archive, "header").tobytes().decode("utf-8", "surrogatepass")
    header = json.loads(text)
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError(f"expected a header of format {FORMAT!r}")
    return header


def _attention(archive: zipfile.ZipFile, header: dict[str, Any]) -> Attention:
    images: dict[int, Image] = {}

    def image(number: int | None) -> Image | None:
        if number is None:
            return None
        if number not in images:
            images[number] = read_image(_get(archive, f"image_{number}"))
        return images[number]

    queries = Axis([_segment(entry, image(entry.get("image"))) for entry in header["queries"]])
    keys = queries
    if header["keys"] is not None:
        keys = Axis([_segment(entry, image(entry.get("image"))) for entry in header["keys"]])
    return Attention(
        _get(archive, "weights"),
        queries,
        keys,
        kind=header["kind"],
        name=header["name"],
        # Files of the first version know no such thing.
        made=[Made.of_record(record) for record in header.get("made", [])],
    )


def _described(segment: Segment, images: list[Image]) -> dict[str, object]:
    if isinstance(segment, Tokens):
        return {
            "segment": "tokens",
            "labels": segment.labels,
            "special": segment.special,
            "words": segment.words,
            "scheme": segment.scheme,
        }
    place = None
    if segment.image is not None:
        place = next((n for n, known in enumerate(images) if known is segment.image), len(images))
        if place == len(images):
            images.append(segment.image)
    if isinstance(segment, Patches):
        return {
            "segment": "patches",
            "rows": segment.rows,
            "cols": segment.cols,
            "region": segment.region,
            "order": segment.order,
            "separator": segment.separator,
            "name": segment.name,
            "image": place,
        }
    return {
        "segment": "boxes",
        "labels": segment.labels,
        "boxes": segment.regions.tolist(),
        "image": place,
    }


def _segment(entry: dict[str, Any], image: Image | None) -> Segment:
    kind = entry["segment"]
    if kind == "tokens":
        scheme = entry["scheme"]
        if scheme not in SCHEMES:
            raise ValueError(f"unknown sub-word scheme {scheme!r}")
        checked = Tokens(entry["labels"], special=entry["special"], words=entry["words"])
        words = None if entry["words"] is None else checked.words
        return Tokens._of(checked.labels, checked.special, words, cast(Scheme, scheme))
    if kind == "patches":
        return Patches(
            entry["rows"],
            entry["cols"],
            image=image,
            region=entry["region"],
            order=entry["order"],
            # Files of the first version know neither.
            separator=entry.get("separator", "⏎"),
            name=entry.get("name", ""),
        )
    if kind == "boxes":
        return Boxes(entry["boxes"], labels=entry["labels"], image=image)
    raise ValueError(f"unknown segment {kind!r}")
