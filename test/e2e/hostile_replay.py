#!/usr/bin/python3
"""As hostile.py, with the agents that mean harm in the engine class replay,
whose numbers are the same everywhere."""
# timeout: 240
# serial: yes
import os
import runpy

os.environ["SW_ENGINE"] = "replay"
runpy.run_path(os.path.join(os.environ["SW_SOURCE"], "test", "e2e", "hostile.py"),
               run_name="__main__")
