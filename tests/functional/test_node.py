"""The official OpenAI client for Node."""

import os
import pathlib
import subprocess


def test_official_node_client(network):
    folder = pathlib.Path(__file__).parent / "node"
    done = subprocess.run(["node", "--test", str(folder / "openai_client.mjs")], cwd=folder, capture_output=True, text=True, timeout=180,
                          env={**os.environ, "OPENAI_BASE_URL": network.api + "/v1", "OPENAI_API_KEY": "none"})
    assert done.returncode == 0, done.stdout + done.stderr
