"""The control API does what its OpenAPI document says: schemathesis tries it with 1,500 requests, good and bad."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets
from terminal import environment, served
from websockets.sync.client import connect

from feeds.control.operations import OPERATIONS

HERE = Path(__file__).parent
EXAMPLES = "6"  # random ones of each operation, beside the boundary cases; more of them by hand now and then
SERVE = ("--control", "--clock", "manual", "--rate", "0", "--symbols", "AAPL,MSFT")


def attend(url: str, over: threading.Event) -> None:
    """Be a client, and come back whatever was commanded: what asks for one has one to find."""
    while not over.is_set():
        try:
            with connect(url, open_timeout=2, close_timeout=1) as ws:
                ws.send('{"action":"subscribe","symbols":["AAPL"]}')
                while not over.is_set():
                    ws.recv(timeout=1)
        except (OSError, websockets.WebSocketException):
            over.wait(0.02)  # refused, by a fault or because the server has gone


@contextmanager
def attended(url: str) -> Iterator[None]:
    over = threading.Event()
    client = threading.Thread(target=attend, args=(url, over))
    client.start()
    try:
        yield
    finally:
        over.set()
        client.join()


@pytest.mark.contract
@pytest.mark.timeout(400)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """No server error, no status, header or body that isn't documented, nothing bad accepted, nothing good refused."""
    pytest.importorskip("schemathesis", reason="pip install --group contract")
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    variables = environment(SCHEMATHESIS_HOOKS="contract_hooks", PYTHONPATH=str(HERE))
    with served(*SERVE) as ready, attended(ready["ws"]):
        document = ready["control"] + "/openapi.json"
        command = [program, "--config-file", str(HERE / "contract.toml"), "run", document]
        command += ["--max-examples", EXAMPLES, "--request-timeout", "60"]
        command += ["--seed", "7", "--generation-deterministic"]
        command += ["--phases", "examples,coverage,fuzzing"]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert f"Tested: {len(OPERATIONS)}" in done.stdout
