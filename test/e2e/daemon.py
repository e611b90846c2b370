#!/usr/bin/python3
"""What swarmd promises when things go wrong around it: a disk that fails, a kill at any instant,
certificates that end. The store's own tests prove the same of the store alone."""
# timeout: 240
# serial: yes
import os
import signal
import ssl
import subprocess
import sys
import threading
import unittest

TMP, BUILD = os.environ["SW_TMP"], os.environ["SW_BUILD"]
os.environ["SWARM_API_LISTEN"] = "127.0.0.1:0"
DATA = os.path.join(TMP, "data")
FAULT = os.path.join(TMP, "fault")
# Syncs of the store fail once the file named by SW_FAULT is there.
PRELOADED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_broken(int file)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = '\0';
    return strstr(path, "store.db") != NULL && access(getenv("SW_FAULT"), F_OK) == 0;
}

static int call(int file, const char *name)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!is_broken(file))
        return next(file);
    errno = EIO;
    return -1;
}

int fsync(int file)
{
    return call(file, "fsync");
}

int fdatasync(int file)
{
    return call(file, "fdatasync");
}
"""


def start(*flags, **environment):
    """swarmd prints one line when it serves."""
    daemon = subprocess.Popen(
        [os.path.join(BUILD, "bin", "swarmd"), "--dev", "--data", DATA, *flags],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        env={**os.environ, **environment})
    line = daemon.stdout.readline()
    if not line:
        sys.exit(f"swarmd did not start: {daemon.stderr.read()}")
    daemon.port = int(line.split("127.0.0.1:")[1].split()[0])
    return daemon


def finish(daemon, number=signal.SIGTERM):
    daemon.send_signal(number)
    daemon.communicate(timeout=30)
    return daemon.returncode


def swarm(*words, data=None):
    return subprocess.run(("swarm", *words), input=data, capture_output=True, timeout=60,
                          text=True, check=False)


def namespace(name):
    return f"apiVersion: swarm/v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"


def apply(name):
    return swarm("apply", "-f", "-", data=namespace(name))


def names():
    listed = swarm("get", "namespaces", "-o", "name")
    return {line.split("/")[1] for line in listed.stdout.split()}


class Daemon(unittest.TestCase):
    def start(self, *flags, **environment):
        """A daemon that ends with the test, however that ends."""
        daemon = start(*flags, **environment)
        self.addCleanup(lambda: daemon.poll() is None and finish(daemon, signal.SIGKILL))
        self.addCleanup(daemon.stdout.close)
        self.addCleanup(daemon.stderr.close)
        return daemon

    def test_a_failed_sync_stops_the_daemon_and_nothing_is_promised(self):
        source, library = os.path.join(TMP, "fault.c"), os.path.join(TMP, "fault.so")
        with open(source, "w", encoding="ascii") as file:
            file.write(PRELOADED)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        daemon = self.start(LD_PRELOAD=library, SW_FAULT=FAULT)
        self.assertEqual(apply("before").returncode, 0)
        with open(FAULT, "w", encoding="ascii"):
            pass
        refused = apply("during")
        self.assertNotEqual(refused.returncode, 0, refused.stdout)
        _, told = daemon.communicate(timeout=30)
        self.assertEqual(daemon.returncode, 1)
        self.assertIn("the store could not be written", told)
        os.unlink(FAULT)
        daemon = self.start()
        self.assertIn("before", names())
        self.assertEqual(finish(daemon), 0)

    def test_a_kill_at_any_instant_loses_nothing_that_was_acknowledged(self):
        acknowledged, lock = set(), threading.Lock()

        def write(name):
            for number in range(1000):
                if apply(f"{name}-{number}").returncode != 0:
                    return
                with lock:
                    acknowledged.add(f"{name}-{number}")
                    if len(acknowledged) >= wanted:
                        enough.set()

        for turn in range(5):
            daemon = self.start()
            self.assertLessEqual(acknowledged, names())
            enough, wanted = threading.Event(), len(acknowledged) + 3 + 5 * turn
            writers = [threading.Thread(target=write, args=(f"n-{turn}-{i}",)) for i in range(3)]
            for writer in writers:
                writer.start()
            self.assertTrue(enough.wait(120))
            finish(daemon, signal.SIGKILL)
            for writer in writers:
                writer.join()
        daemon = self.start()
        self.assertLessEqual(acknowledged, names())
        self.assertEqual(finish(daemon), 0)

    def test_the_server_certificate_is_renewed_while_it_serves(self):
        daemon = self.start("--certificates-lifetime", "1m")
        first = ssl.get_server_certificate(("127.0.0.1", daemon.port))
        for line in daemon.stderr:  # The rest of the log is read by finish.
            if "renewed the server certificate" in line:
                break
        self.assertNotEqual(ssl.get_server_certificate(("127.0.0.1", daemon.port)), first)
        self.assertEqual(swarm("get", "namespaces").returncode, 0)
        self.assertEqual(finish(daemon), 0)

    def test_what_is_secret_is_for_its_owner_alone(self):
        daemon = self.start()
        self.assertEqual(finish(daemon), 0)
        folders = [DATA, os.path.join(os.environ["XDG_CONFIG_HOME"], "swarm")]
        seen = 0
        for top in folders:
            for folder, _, files in os.walk(top):
                self.assertEqual(os.stat(folder).st_mode & 0o077, 0, folder)
                if os.path.dirname(folder) == os.path.join(DATA, "engines"):
                    continue  # Other names of the installed programs, which anybody may read.
                for name in files:
                    path = os.path.join(folder, name)
                    self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)
                    seen += name.endswith((".key", ".yaml", ".db"))
        self.assertGreaterEqual(seen, 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
