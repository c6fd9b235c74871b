"""The repository's own images: each of them comes out the same in every build."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.processes import REAL, ROOT

# It takes minutes, most of them in emulated programs: beside the other tests, not after them.
pytestmark = [pytest.mark.engine, pytest.mark.xdist_group("samples")]

#: What `scripts/upstream` exits with where it can get no Debian image.
_UNAVAILABLE = 5


def debian_for(registry: str) -> None:
    """Put the image that the samples stand on into a registry; skip where there is none."""
    done = subprocess.run(
        [str(ROOT / "scripts/upstream"), registry], capture_output=True, text=True
    )
    if done.returncode == _UNAVAILABLE:
        pytest.skip(f"scripts/upstream: {done.stderr.strip().splitlines()[-2]}")
    assert done.returncode == 0, done.stderr


def run(where: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    state = str(where.parent / "state.db")
    return subprocess.run(
        [*REAL, "-C", str(where), "--state", state, *argv],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )


def test_every_sample_comes_out_the_same(registry_url: str, tmp_path: Path) -> None:
    """On every platform, built twice without the cache; those above stand on what was published."""
    debian_for(registry_url)
    where = tmp_path / "samples"
    where.mkdir()
    shutil.copytree(ROOT / "images", where / "images")
    text = (ROOT / "hierarchy.yaml").read_text()
    assert "localhost:5000/" in text
    # A corner of its own: other tests publish there too.
    gold = text.replace("localhost:5000/gold", f"{registry_url}/samples")
    (where / "hierarchy.yaml").write_text(gold.replace("localhost:5000/", f"{registry_url}/"))
    different = {}
    # The file names parents before those that stand on them.
    for image in yaml.safe_load(text)["images"]:
        compared = run(where, "reproduce", image)
        if compared.returncode != 0:
            different[image] = compared.stdout + compared.stderr
        # From the cache that the second build leaves.
        built = run(where, "build", "-q", image)
        assert built.returncode == 0, built.stdout + built.stderr
    assert different == {}
    planned = run(where, "plan", "--detailed-exitcode", "-q")
    assert planned.returncode == 0, planned.stdout + planned.stderr
