"""What every process loads before it knows what it is asked for: nothing that takes long and only few need."""

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LATER = ("numpy", "httpx", "aiohttp", "ninja", "lxml.html", "qdrant_client", "qdrant_edge", "wordllama", "mcp", "rich")


def test_the_start_loads_no_parser_model_or_client(tmp_path: Path) -> None:
    program = "import django, json, sys; django.setup(); print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "QUARRY_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) & set(LATER) == set()
