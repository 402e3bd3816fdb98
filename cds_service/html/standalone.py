"""HTML pages that stand alone: files with their style inside, and nothing from other addresses."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_PACKAGE = Path(str(files("cds_service")))
_SHARED = (_PACKAGE / "html" / "templates", _PACKAGE / "web" / "templates")
_STYLE = _PACKAGE / "web" / "static" / "style.css"


def rendered(room: str, name: str, said: Mapping[str, Any]) -> str:
    """The template `name` of a room, filled with what is `said`.

    It extends standalone.html, which has the style sheet of the service and, where the room has
    one, its own. Raises jinja2.UndefinedError for a name that is not said.
    """
    folder = _PACKAGE / room / "templates"
    environment = Environment(
        loader=FileSystemLoader(list(map(str, (folder, *_SHARED)))),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sheets = filter(Path.is_file, (_STYLE, folder / "style.css"))
    style = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    return environment.get_template(name).render(said, style=style)
