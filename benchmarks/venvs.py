"""The peers' environments, under `.bench/venvs`, made from peers.txt and remade when their lines change."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".bench"
"""Everything that a campaign leaves on disk, git-ignored."""


class Unavailable(Exception):
    """A peer cannot be installed or started here; the message says why, in one line."""


def requirements() -> dict[str, list[str]]:
    """Environment → its requirement lines."""
    found: dict[str, list[str]] = {}
    name = ""
    for raw in (Path(__file__).parent / "peers.txt").read_text().splitlines():
        line = raw.split("#", 1)[0].strip()
        if line.startswith("["):
            name = line.strip("[]")
            found[name] = []
        elif line:
            found[name].append(line)
    return found


def _run(*words: str | Path, directory: Path | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in words], cwd=directory, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [
            line for line in (done.stderr or done.stdout).splitlines() if "ERROR" in line or "error" in line
        ]
        raise Unavailable((lines or [f"{words[0]} failed"])[-1][:300])


def make(name: str) -> Path:
    """The folder of environment `name`, installed if it is not yet.

    Raises:
        Unavailable: its packages cannot be installed here.
    """
    written = requirements()[name]
    lines = [line.replace("{root}", str(ROOT)) for line in written]
    folder = HOME / "venvs" / name
    stamp = folder / "installed"
    content = "\n".join(lines)
    if lines != written:
        content += "".join((ROOT / own).read_text() for own in ("pyproject.toml", "constraints.txt"))
    digest = hashlib.sha256(content.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return folder
    print(f"installing {name} …", file=sys.stderr, flush=True)
    if folder.exists():
        shutil.rmtree(folder)
    _run(sys.executable, "-m", "venv", folder)
    _run(
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "-q",
        *(line for line in lines if line[:4] != "npm:"),
    )
    for line in lines:
        if line.startswith("npm:"):
            if shutil.which("npm") is None:
                raise Unavailable(f"npm is missing, and {line[4:]} is needed")
            _run("npm", "install", "--silent", "--prefix", folder, line[4:])
    stamp.write_text(digest)
    return folder


def site_packages(folder: Path) -> Path:
    """The environment's site-packages."""
    return next((folder / "lib").glob("python3.*/site-packages"))
