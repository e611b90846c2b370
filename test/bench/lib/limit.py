"""A control group whose memory, page cache included, has a limit: what does not fit is on the disk.
It needs a superuser, and a memory controller of version 1 or 2."""
import contextlib
import errno
import os

from daemon import Failure, Lacking

ROOT = "/sys/fs/cgroup"
TRIES_MAX = 100


class Limited:
    def __init__(self, folder, name):
        self.folder, self.file = folder, os.path.join(folder, name)

    def set(self, size):
        """In bytes; None: no limit. What is in the page cache gives way, once it is written."""
        is_new = self.file.endswith("memory.max")
        text = str(size) if size is not None else "max" if is_new else "-1"
        for _ in range(TRIES_MAX):
            try:
                with open(self.file, "w", encoding="ascii") as file:
                    file.write(text)
                return
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                os.sync()
        raise Failure(f"more than {size} bytes are in use, which cannot give way")

    def words(self):
        """What a command is preceded by, so that it and what it starts are in the group."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', os.path.join(self.folder, "cgroup.procs")]


@contextlib.contextmanager
def memory_limit():
    """A group without processes, which is removed in the end."""
    is_old = os.path.exists(os.path.join(ROOT, "memory", "memory.limit_in_bytes"))
    folder = os.path.join(ROOT, "memory" if is_old else "", f"swarm-bench-{os.getpid()}")
    limited = Limited(folder, "memory.limit_in_bytes" if is_old else "memory.max")
    try:
        os.mkdir(folder)
    except OSError as error:
        raise Lacking(f"a group with limited memory cannot be made here: {error}") from error
    try:
        limited.set(None)
        yield limited
    except FileNotFoundError as error:
        raise Lacking(f"{folder} has no memory controller: {error}") from error
    finally:
        os.rmdir(folder)
