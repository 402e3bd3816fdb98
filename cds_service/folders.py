"""The folders that the service uses if the settings name no others."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cards_folder() -> Path:
    """The folder `cards`: inside the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / "cards"
    return inside if inside.is_dir() else inside.parent.parent / "cards"


def runtime_folder() -> Path:
    """A folder of this user among the temporary files."""
    user = os.getuid() if hasattr(os, "getuid") else "service"
    return Path(tempfile.gettempdir()) / f"cds-service-{user}"
