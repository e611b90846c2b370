#!/usr/bin/python3
"""As hostile.py, with the agents that mean harm in an agent host of their namespace; their
neighbours are in the shared one."""
# timeout: 240
# serial: yes
import os
import runpy

os.environ["SW_ISOLATION"] = "namespace"
runpy.run_path(os.path.join(os.environ["SW_SOURCE"], "test", "e2e", "hostile.py"),
               run_name="__main__")
