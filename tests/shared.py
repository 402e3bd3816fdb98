"""Where the real records are that tests may use when they lie beside the checkout."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

SHARED = Path(__file__).parent.parent.parent / "shared"

NOT_SHARED = "real records: they are not beside this checkout"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=NOT_SHARED)


def files(pattern: str) -> list[Path]:
    """The shared files of a pattern; none when there are no shared files."""
    return sorted(SHARED.glob(pattern))


def read(path: Path) -> Any:
    """The JSON of a file, gzipped or not."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return orjson.loads(content)


def names(paths: Iterable[Path]) -> list[str]:
    """What to call them in a test's id."""
    return [path.name.partition(".")[0] for path in paths]
