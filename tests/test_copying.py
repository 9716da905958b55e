"""What the samples promise to those who copy them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

CLIENTS = Path(__file__).parent.parent / "clients"


def test_the_files_that_the_readme_names_are_all_that_the_client_needs(tmp_path: Path) -> None:
    """Copied into an empty folder, they can be imported, without anything else of ours."""
    text = (CLIENTS / "README.md").read_text()
    (paragraph,) = re.findall(r"^To take `TickerClient` with you.*?\n\n", text, re.M | re.S)
    (tmp_path / "clients").mkdir()
    for name in re.findall(r"`(\w+\.py)`", paragraph):
        shutil.copy(CLIENTS / name, tmp_path / "clients")
    for name in re.findall(r"the folder `(\w+)`", paragraph):
        shutil.copytree(CLIENTS / name, tmp_path / "clients" / name)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import clients.sync; "
        "print(clients.sync.__file__, *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    place, *modules = done.stdout.split()
    assert Path(place).parent == tmp_path / "clients"
    assert not {"ticker", "feeds", "numpy", "rich", "hdrh"} & set(modules)
