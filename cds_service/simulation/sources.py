"""The files of a population: NDJSON of Bulk FHIR or Bundles, here or in the cloud."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from cds_service.errors import InvalidRequest

_LINES = (".ndjson", ".jsonl")
_DOCUMENTS = (".json",)
_PACKED = (".gz", ".zst")
_STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated")
_TIMES_PACKED = 20  # how much larger the content of a packed file may be


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its address, its size in bytes, and whether each of its lines is a document.

    `stamp` is another one after a change: the time of it, or the tag of its content.
    """

    address: str
    bytes: int
    stamp: str
    has_lines: bool
    is_packed: bool

    @property
    def unpacked(self) -> int:
        """About how many bytes it holds once it is unpacked."""
        return self.bytes * _TIMES_PACKED if self.is_packed else self.bytes


@dataclass(frozen=True, slots=True)
class Sources:
    """The files in the order of their addresses, and the file systems that read them."""

    files: Sequence[Source]
    filesystems: Sequence[Any]

    @property
    def bytes(self) -> int:
        """About how many bytes they hold once they are unpacked."""
        return sum(file.unpacked for file in self.files)


def sources_of(addresses: Iterable[str]) -> Sources:
    """The files at addresses: files, folders, patterns with *, on this machine or as s3://...

    Raises InvalidRequest if an address cannot be read or has no file that we read.
    """
    found: dict[str, Source] = {}
    systems: dict[str, Any] = {}
    for address in addresses:
        for system, path, size, stamp in _listed(address):
            name = system.unstrip_protocol(path) if "://" in address else path
            kind = name.lower()
            is_packed = kind.endswith(_PACKED)
            stem = kind.rpartition(".")[0] if is_packed else kind
            if stem.endswith((*_LINES, *_DOCUMENTS)):
                found[name] = Source(name, size, stamp, stem.endswith(_LINES), is_packed)
                if "://" in address:
                    systems[address.partition("://")[0]] = system
    if not found:
        raise InvalidRequest("there is no file .ndjson, .jsonl or .json (or .gz) in these places")
    return Sources([found[name] for name in sorted(found)], list(systems.values()))


def _listed(address: str) -> Iterable[tuple[Any, str, int, str]]:
    """Every file at an address with its size and its stamp."""
    url = address if "://" in address else str(Path(address).absolute())
    try:
        system, path = fsspec.core.url_to_fs(url)
        paths = system.glob(path) if "*" in path else [path]
        if not paths or not all(map(system.exists, paths)):
            raise InvalidRequest(f"there is nothing at {address}")
        for place in paths:
            for file, details in sorted(system.find(place, detail=True).items()):
                stamp = next(filter(None, map(details.get, _STAMPS)), "")
                yield system, file, int(details.get("size") or 0), str(stamp)
    except ImportError as error:
        raise InvalidRequest(f"{address}: install the extra `cloud`: {error}") from error
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{address} cannot be read: {type(error).__name__}") from error
