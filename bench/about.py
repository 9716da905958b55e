"""On what and with what a run was made."""

import importlib.metadata
import os
import platform
import shlex
import sys
import time
from pathlib import Path

from bench.process import Cores

__all__ = ["about"]

_PACKAGES = ("tickerplant", "aiohttp", "websockets", "picows", "aiofastnet", "socketify", "uvloop")


def about(module: str, cores: Cores, versions: dict[str, str]) -> dict[str, object]:
    """Return machine, versions, command and date."""
    return {
        "command": shlex.join(["python", "-m", module, *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "server_core": cores.server,
            "client_core": cores.client,
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            **{name: _version(name) for name in _PACKAGES},
            **versions,
        },
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
