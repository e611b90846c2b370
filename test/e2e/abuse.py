#!/usr/bin/python3
"""The daemon and its data folder in hands that are careless: signals to the whole group, files that
are gone or damaged, commands in the first moment after a start. Nothing is lost, and what is
refused says why and what to do."""
# timeout: 240
# serial: yes
import glob
import os
import shutil
import signal
import socket
import struct
import subprocess
import unittest

TMP, BUILD = os.environ["SW_TMP"], os.environ["SW_BUILD"]
DATA = os.path.join(os.environ["XDG_DATA_HOME"], "swarm")
LOG = os.path.join(TMP, "swarmd.log")
os.environ["SWARM_API_LISTEN"] = "127.0.0.1:0"


def swarmd(*flags, **options):
    return subprocess.Popen(["swarmd", "--dev", *flags], stdout=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, start_new_session=True, **options)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Abuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.chdir(TMP)
        cls.daemon = None

    def setUp(self):
        """One Agent that has counted to one, in a folder that a clean stop left."""
        shutil.rmtree(DATA, ignore_errors=True)
        self.start()
        if not os.path.exists("greeter"):
            self.swarm("agent", "init", "greeter")
            self.swarm("agent", "build", "greeter")
        self.swarm("apply", "-f", "greeter")
        self.assertIn("number 1.", self.swarm("send", "greeter", "Ada")[0])

    def tearDown(self):
        if self.daemon is not None:
            self.stop()

    def start(self):
        with open(LOG, "wb") as log:
            self.daemon = swarmd(stderr=log)
        self.assertTrue(self.daemon.stdout.readline(), read(LOG))

    def stop(self, is_group=False):
        daemon, self.daemon = self.daemon, None
        if is_group:
            os.killpg(daemon.pid, signal.SIGTERM)
        else:
            daemon.send_signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(timeout=30), 0)
        daemon.stdout.close()

    def refused(self, *flags):
        """What swarmd says when it does not start."""
        daemon = swarmd(*flags, stderr=subprocess.PIPE)
        _, told = daemon.communicate(timeout=20)
        self.assertEqual(daemon.returncode, 1, told)
        return told.decode()

    def run_program(self, *words, status=0):
        result = subprocess.run(words, capture_output=True, timeout=60, check=False, text=True)
        self.assertEqual(result.returncode, status, f"{words}: {result.stdout}{result.stderr}")
        return result.stdout, result.stderr

    def swarm(self, *words, status=0):
        return self.run_program("swarm", *words, status=status)

    def test_a_signal_to_the_whole_group_is_a_clean_stop_too(self):
        self.stop(is_group=True)
        self.assertIn("the agent host shared is down: it ended (status 0)", read(LOG))
        self.assertEqual(len(glob.glob(f"{DATA}/agents/snapshot-*.snap")), 1)

    def test_a_wait_begins_though_the_server_forgot_the_objects_last_change(self):
        self.stop()
        self.start()
        _, told = self.swarm("wait", "agent/greeter", "--for=condition=Raedy", "--timeout=300ms",
                             status=7)
        self.assertIn("it has no such condition but Ready", told)
        self.assertIn("hint: see why with: swarm describe agents/greeter", told)

    def test_a_message_right_after_the_start_is_answered(self):
        self.stop()
        self.start()
        self.assertIn("number 2.", self.swarm("send", "greeter", "Ada")[0])

    def test_a_store_that_is_gone_is_not_made_anew_beside_the_memory_of_agents(self):
        self.swarm("wait", "agent/greeter", "--for=condition=Ready", "--timeout=10s")
        self.run_program("swarmctl", "store", "backup", "saved.db")
        self.stop()
        for damage in (os.remove, lambda path: open(path, "wb").close()):
            damage(f"{DATA}/store.db")
            told = self.refused()
            self.assertIn("store.db is missing or empty", told)
            self.assertIn("swarmctl store restore", told)
        os.remove(f"{DATA}/store.db")
        self.run_program("swarmctl", "store", "restore", "saved.db", "--yes")
        self.start()
        self.assertIn("number 2.", self.swarm("send", "greeter", "Ada")[0])

    def test_a_damaged_snapshot_is_found_by_who_checks(self):
        self.stop()
        self.run_program("swarmctl", "check")
        [snapshot] = glob.glob(f"{DATA}/agents/snapshot-*.snap")
        for path in (), (f"{DATA}/agents",), (snapshot,):
            self.assertIn("sound ", self.run_program("swarmctl", "snapshot", "verify", *path)[0])
        with open(snapshot, "r+b") as file:
            file.seek(-20, os.SEEK_END)
            file.write(b"X")
        _, told = self.run_program("swarmctl", "check", status=1)
        self.assertIn(os.path.basename(snapshot), told)
        for path in (), (snapshot,):
            _, told = self.run_program("swarmctl", "snapshot", "verify", *path, status=1)
            self.assertEqual(told.count(os.path.dirname(snapshot)), 1, told)
            self.assertIn(os.path.basename(snapshot), told)
            self.assertNotIn("swarmctl snapshot verify", told)
        self.assertIn("restore the folder from a copy", self.run_program(
            "swarmctl", "snapshot", "verify", status=1)[1])
        os.remove(snapshot)
        _, told = self.run_program("swarmctl", "journal", "verify", status=1)
        self.assertIn(os.path.basename(snapshot), told)

    def test_a_damaged_journal_is_told_where_people_look(self):
        self.stop()
        [snapshot] = glob.glob(f"{DATA}/agents/snapshot-*.snap")
        os.remove(snapshot)
        self.start()
        self.swarm("wait", "node/node-1", "--timeout=20s",
                   "--for=jsonpath={.status.conditions[0].message}=its journal cannot be read: "
                   "swarmctl journal verify tells what is damaged (status 4)")

    def test_files_of_another_release_are_told_with_both_versions(self):
        self.stop()
        [snapshot] = glob.glob(f"{DATA}/agents/snapshot-*.snap")
        [journal] = glob.glob(f"{DATA}/agents/journal-*.seg")
        for path, told in ((snapshot, f"snapshot {snapshot}: the snapshot is of version 99; "),
                           (journal, f"journal {DATA}/agents, segment "
                                     f"{os.path.basename(journal)[8:-4]}: journal segment of "
                                     "version 99; ")):
            with open(path, "r+b") as file:
                file.seek(4)
                version = file.read(4)
                file.seek(4)
                file.write(struct.pack("<I", 99))
            self.start()
            self.swarm("wait", "node/node-1", "--timeout=20s", "--for=condition=Ready=False")
            self.stop()
            self.assertIn(f"swarm-agent-host: {told}it was written by another release of Swarm; "
                          f"this one reads version {struct.unpack('<I', version)[0]}\n", read(LOG))
            with open(path, "r+b") as file:
                file.seek(4)
                file.write(version)

    def test_a_journal_that_is_gone_is_not_taken_for_a_beginning(self):
        self.stop()
        for path in glob.glob(f"{DATA}/agents/journal-*") + glob.glob(f"{DATA}/agents/snapshot-*"):
            os.remove(path)
        self.start()
        self.swarm("wait", "node/node-1", "--timeout=20s",
                   "--for=jsonpath={.status.conditions[0].message}=its journal, which agents had "
                   "written, is gone or another one: restore its folder, or remove the file "
                   "agents-journal beside that to begin with empty agents (status 6)")
        self.assertEqual(glob.glob(f"{DATA}/agents/journal-*"), [])
        os.remove(f"{DATA}/agents-journal")
        self.swarm("wait", "node/node-1", "--timeout=20s", "--for=condition=Ready")
        self.assertIn("number 1.", self.swarm("send", "greeter", "Ada")[0])

    def test_a_port_or_folder_in_use_is_told_with_the_way_out(self):
        told = self.refused()
        self.assertRegex(told, r"store\.db is in use by another process\nhint: stop the swarmd")
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            place = f"127.0.0.1:{other.getsockname()[1]}"
            told = self.refused("--data", f"{TMP}/other", "--api-listen", place)
        self.assertRegex(told, f"{place}: address already in use\nhint: .*--api-listen")

    def test_swarmd_explains_itself(self):
        self.assertIn("check-config", self.run_program("swarmd", "help")[0])
        self.assertIn("Usage: swarmd run", self.run_program("swarmd", "help", "run")[0])
        self.assertIn('unknown command "bogus"',
                      self.run_program("swarmd", "help", "bogus", status=2)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
