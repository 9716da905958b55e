"""The control API does what its OpenAPI document says: schemathesis tries it with thousands of requests, good and bad."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from feeds.control.operations import OPERATIONS

HERE = Path(__file__).parent
EXAMPLES = "6"  # random ones of each operation, beside the boundary cases; more of them by hand now and then
SERVE = ["serve", "--port", "0", "--ready-json", "--control", "--clock", "manual"]
SERVE += ["--rate", "0", "--symbols", "AAPL,MSFT"]


@pytest.mark.contract
@pytest.mark.timeout(400)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """No server error, no status, header or body that isn't documented, nothing bad accepted, nothing good refused."""
    pytest.importorskip("schemathesis", reason="pip install --group contract")
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TICKERPLANT_")}
    with subprocess.Popen(
        [sys.executable, "-m", "feeds", *SERVE],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as server:
        try:
            assert server.stdout is not None
            document = json.loads(server.stdout.readline())["control"] + "/openapi.json"
            command = [program, "--config-file", str(HERE / "contract.toml"), "run", document]
            command += ["--max-examples", EXAMPLES, "--request-timeout", "60"]
            command += ["--seed", "7", "--generation-deterministic"]
            command += ["--phases", "examples,coverage,fuzzing"]
            hooks = {"SCHEMATHESIS_HOOKS": "contract_hooks", "PYTHONPATH": str(HERE)}
            done = subprocess.run(
                command, cwd=tmp_path, env=environment | hooks, capture_output=True, text=True
            )
        finally:
            server.terminate()
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert f"Tested: {len(OPERATIONS)}" in done.stdout
