"""The labels of the playground, in the language of the reader."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from cds_service.knowledge.loading.strict_yaml import read_yaml

DEFAULT = "en"
_FILE = Path(__file__).parent / "words.yaml"


@lru_cache(maxsize=1)
def _texts() -> Mapping[str, Mapping[str, str]]:
    texts: Mapping[str, Mapping[str, str]] = read_yaml(_FILE)
    return texts


def labels(language: str) -> Mapping[str, str]:
    """Every label in a language; in English where the language has none."""
    return {name: text.get(language, text[DEFAULT]) for name, text in _texts().items()}
