"""Mounts that only this test and its children see."""
import os
import subprocess
import sys


def enter_private_mounts():
    """Runs the script once more in a mount namespace of its own, and returns there. Where the
    machine has no such thing the test is skipped."""
    if os.environ.get("SW_PRIVATE_MOUNTS") == "1":
        return
    probe = os.path.join(os.environ["SW_SOURCE"], "tools", "test", "probe")
    if subprocess.run([probe, "root", "mount"], check=False).returncode != 0:
        sys.exit(77)
    os.environ["SW_PRIVATE_MOUNTS"] = "1"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])


def mount(*words):
    subprocess.run(["mount", *words], check=True)
