"""LiteLLM as a gateway in front of the network."""

import os
import pathlib
import subprocess
import sys

import httpx
import openai
import pytest

from network import MODEL, free_port, wait_for, web


@pytest.fixture(scope="module")
def gateway(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("litellm")
    (folder / "config.yaml").write_text(f"""
model_list:
  - model_name: planet
    litellm_params:
      model: openai/{MODEL}
      api_base: {network.api}/v1
      api_key: none
""")
    port = free_port()
    log = open(folder / "log", "w")
    program = pathlib.Path(sys.executable).with_name("litellm")
    process = subprocess.Popen([program, "--config", folder / "config.yaml", "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log,
                               env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_MASTER_KEY": "sk-gateway"})
    url = f"http://127.0.0.1:{port}"

    def alive():
        assert process.poll() is None, (folder / "log").read_text()[-3000:]
        try:
            return web.get(url + "/health/liveliness", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(alive, "LiteLLM to start", 120)
    yield openai.OpenAI(base_url=url + "/v1", api_key="sk-gateway", timeout=120)
    process.terminate()
    process.wait(20)


def test_through_the_gateway(gateway):
    arguments = dict(model="planet", messages=[{"role": "user", "content": "Say hello."}], max_tokens=12, temperature=0, seed=2)
    whole = gateway.chat.completions.create(**arguments)
    assert whole.choices[0].message.content and whole.usage.completion_tokens > 0
    text = "".join(chunk.choices[0].delta.content or "" for chunk in gateway.chat.completions.create(**arguments, stream=True) if chunk.choices)
    assert text == whole.choices[0].message.content
