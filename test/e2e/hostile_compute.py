#!/usr/bin/python3
"""As hostile.py, with the agents that mean harm in the engine class compute,
of which nothing is compared in code: their memories end at pages that nobody may touch."""
# timeout: 240
# serial: yes
import os
import runpy

os.environ["SW_ENGINE"] = "compute"
runpy.run_path(os.path.join(os.environ["SW_SOURCE"], "test", "e2e", "hostile.py"),
               run_name="__main__")
