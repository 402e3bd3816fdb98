"""What is installed: locked to versions and hashes, the same in the image as in the tests."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent
LOCKED = {path.stem: path for path in (PROJECT / "requirements").glob("*.txt")}
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}")


def _versions(name: str) -> dict[str, str]:
    """Each package of one of the files, in small letters, and the version that it is locked to."""
    lines = LOCKED[name].read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line.rstrip(" \\")) for line in lines if not line.startswith(" ")]
    return {canonicalize_name(each.name): str(each.specifier) for each in pinned}


@pytest.mark.parametrize("name", sorted(LOCKED))
def test_each_package_has_one_version_and_hashes_and_no_place_to_come_from(name: str) -> None:
    entries = re.split(r"\n(?=\S)", LOCKED[name].read_text(encoding="utf-8").strip())
    for entry in entries:
        first, *hashes = entry.replace(" \\", "").splitlines()
        assert re.match(r"[a-zA-Z0-9._-]+==\S+( ; .+)?$", first), first
        assert hashes and all(_HASH.fullmatch(each) for each in hashes), entry


def test_the_image_gets_the_versions_that_were_tested() -> None:
    tested = _versions("test")
    for name in ("image", "build"):
        assert _versions(name).items() <= tested.items()
    assert not {"pytest", "uv", "setuptools"} & _versions("image").keys()


def test_what_the_service_needs_is_locked_within_its_bounds() -> None:
    setup = ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    extras = setup["options.extras_require"]
    needed = {
        "image": setup["options"]["install_requires"] + extras["postgres"] + extras["redis"],
        "test": extras["test"] + extras["otel"] + extras["redis"],
    }
    for name, lines in needed.items():
        versions = _versions(name)
        for line in filter(None, lines.splitlines()):
            requirement = Requirement(line)
            if requirement.name != "anxiety-cds-service":
                version = versions[canonicalize_name(requirement.name)].removeprefix("==")
                assert requirement.specifier.contains(version), line


def test_nothing_is_installed_without_a_hash() -> None:
    for name in ("Makefile", "Dockerfile"):
        text = (PROJECT / name).read_text(encoding="utf-8").replace("\\\n", " ")
        commands = re.findall(r"(?:\$\(PIP\)|\bpip) [^&\n]*install [^&\n]*", text)
        assert commands
        for command in commands:
            assert "--require-hashes" in command or "--no-deps" in command, command
