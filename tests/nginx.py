"""A real nginx in front of replicas, with the configuration of deploy/nginx."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import PROJECT, free_port

CONFIGURATION = PROJECT / "deploy" / "nginx" / "cds.conf"
# What belongs around it on this machine.
_MAIN = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/cds.conf;
}}
"""


def _program() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("nginx: it is not installed")
    return found


def _of_this_machine(text: str, ports: tuple[int, ...], port: int) -> str:
    """The configuration with these replicas in place of those of Compose."""
    for number, replica in enumerate(ports, start=1):
        text = text.replace(f"service-{number}:8000", f"127.0.0.1:{replica}")
    text = re.sub(r"listen \d+;", f"listen 127.0.0.1:{port};", text, count=1)
    assert "service-" not in text.replace("cds-service", "")
    return text


@contextmanager
def nginx(*ports: int, configuration: str = "") -> Iterator[str]:
    """The address of an nginx in front of the replicas on these ports of this machine.

    Another configuration than that of deploy/nginx calls them as that one does.
    Skips the test that asks if nginx is not installed.
    """
    program, port = _program(), free_port()
    with tempfile.TemporaryDirectory(prefix="cds-nginx-") as name:
        folder = Path(name)
        text = configuration or CONFIGURATION.read_text(encoding="utf-8")
        ours = _of_this_machine(text, ports, port)
        (folder / "cds.conf").write_text(ours)
        user = "user root;" if folder.owner() == "root" else ""
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=user))
        command = [program, "-p", name, "-e", f"{name}/error.log", "-c", f"{name}/nginx.conf"]
        with (folder / "printed").open("wb") as printed:
            running = subprocess.Popen(command, stdout=printed, stderr=printed)
        try:
            _wait_for(port, running, folder / "printed")
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(60)


def _wait_for(port: int, running: subprocess.Popen[bytes], printed: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if running.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"nginx does not listen: {printed.read_text()}")
            time.sleep(0.02)
