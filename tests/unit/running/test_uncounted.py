"""What an app could use where neither a process nor a path shows it: counted, or refused. And what it may use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.bench import Bench

from node_scripts.running import seccomp, supervision, view
from wire.messages import Cause

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="without root's rights apps run as the agent's own user")

BEGIN = """
import ctypes, mmap, os, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
IS_X86 = os.uname().machine == "x86_64"
def fill(fd, mb=60):
    for _ in range(mb):
        os.write(fd, b"z" * 1_000_000)
def segment(mb):
    found = libc.shmget(0, mb * 1_000_000, 0o1600)
    if found < 0:
        raise OSError(ctypes.get_errno(), "refused")
    address = libc.shmat(found, None, 0)
    ctypes.memset(address, 1, mb * 1_000_000)
    libc.shmdt(ctypes.c_void_p(address))
def memory(name):
    fd = os.memfd_create(name)
    fill(fd)
    return fd
"""

DISK = {
    "below a path longer than any": """
for _ in range(30):
    os.mkdir("x" * 200)
    os.chdir("x" * 200)
for n in range(6):
    fill(os.open(f"f{n}", os.O_WRONLY | os.O_CREAT), 15)
""",
    "in deleted files": """
for n in range(2):
    fd = os.open("gone", os.O_RDWR | os.O_CREAT)
    os.unlink("gone")
    fill(fd, 45)
""",
    "in deleted files that are mapped and closed": """
kept = []
libc.mmap.restype = ctypes.c_void_p
for n in range(2):
    fd = os.open("gone", os.O_RDWR | os.O_CREAT)
    os.unlink("gone")
    fill(fd, 45)
    libc.mmap(None, ctypes.c_size_t(45_000_000), 1, 1, fd, ctypes.c_long(0))
    os.close(fd)
""",
}

MEMORY = {
    "in System V segments that nobody is attached to": "for _ in range(6): segment(20)",
    "in many System V segments, slowly": "for _ in range(14):\n    segment(7)\n    time.sleep(0.05)",
    "in memfd": "kept = [memory(str(n)) for n in range(2)]",
    "in memfd that is mapped and closed": """
libc.mmap.restype = ctypes.c_void_p
for n in range(2):
    fd = memory(str(n))
    libc.mmap(None, ctypes.c_size_t(60_000_000), 1, 1, fd, ctypes.c_long(0))
    os.close(fd)
""",
    "in shared memory that a process which has ended filled": """
kept = mmap.mmap(-1, 150_000_000)
if os.fork() == 0:
    for at in range(0, 150_000_000, 4096):
        kept[at] = 1
    os._exit(0)
os.wait()
""",
    "in /dev/shm and in the process": """
fill(os.open("/dev/shm/a", os.O_WRONLY | os.O_CREAT), 45)
kept = bytearray(b"x") * 60_000_000
""",
    "in a deleted file of /dev/shm and in the process": """
fd = os.open("/dev/shm/a", os.O_WRONLY | os.O_CREAT)
os.unlink("/dev/shm/a")
fill(fd, 45)
kept = bytearray(b"x") * 60_000_000
""",
}

REFUSED = {
    "a user namespace": "print(libc.unshare(0x10000000))",
    "a user namespace, by clone": "print(libc.syscall(56 if IS_X86 else 220, 0x10000011, 0, 0, 0, 0))",
    "a file system in memory": """
done = subprocess.run(["unshare", "-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
print(-1 if done.returncode else 0)
""",
    "a mount namespace": "print(libc.unshare(0x00020000))",
    "a key": "print(libc.syscall(248 if IS_X86 else 217, b'user', b'a', b'b', 1, -4))",
    "io_uring": "print(libc.syscall(425, 8, ctypes.create_string_buffer(200)))",
    "gigabytes of System V segments": "print(libc.shmget(0, 10**9, 0o1600))",
    "a System V message queue for each of a thousand": "print(min(libc.msgget(0, 0o1600) for _ in range(1000)))",
    "millions of System V semaphores": "print(min(libc.semget(0, 30_000, 0o1600) for _ in range(10)))",
}

SHARING = """
import os
os.environ["TMPDIR"] = "/tmp"  # the way to this test's folders is too long for the socket of a forkserver
import multiprocessing as mp, multiprocessing.shared_memory as sm, mmap, os, queue, sys, threading
import concurrent.futures as cf

def double(n):
    return 2 * n

def add(lock, total, name, many):
    block = sm.SharedMemory(name)
    for _ in range(many):
        with lock:
            total.value += 1
            block.buf[0] = (block.buf[0] + 1) % 256
    block.close()

def worker(index, batches, out):
    for batch in iter(batches.get, None):
        out.put((index, sum(batch)))

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = mp.get_context(method)
        lock, total = context.Lock(), context.Value("i", 0, lock=False)
        block = sm.SharedMemory(create=True, size=10_000_000)
        block.buf[0] = 0
        ran = [context.Process(target=add, args=(lock, total, block.name, 50)) for _ in range(3)]
        for one in ran: one.start()
        for one in ran: one.join()
        print(method, total.value, block.buf[0], [one.exitcode for one in ran])
        block.close()
        block.unlink()
        # As a data loader does it: workers with a queue of batches each, and one for what they made.
        queues, out = [context.Queue() for _ in range(2)], context.Queue()
        ran = [context.Process(target=worker, args=(n, q, out)) for n, q in enumerate(queues)]
        for one in ran: one.start()
        for n in range(20): queues[n % 2].put(list(range(n)))
        for q in queues: q.put(None)
        print(sum(out.get(timeout=60)[1] for _ in range(20)))
        for one in ran: one.join()
    with cf.ProcessPoolExecutor(2) as pool:
        print(sum(pool.map(double, range(100))))
    semaphore = mp.Semaphore(2)
    print(semaphore.acquire(), semaphore.acquire(), semaphore.acquire(block=False))
    shared = mmap.mmap(-1, 1_000_000)
    thread = threading.Thread(target=shared.write, args=(b"x",))
    thread.start(); thread.join()
    with mp.Manager() as manager:
        print(sorted(manager.dict(a=1).items()))
    os.write(os.open(os.devnull, os.O_WRONLY), b"x")
    print(len(os.urandom(8)), os.path.exists("/dev/shm"))
"""


@pytest.fixture(params=["mounts", "permissions"])
def walled(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    make_bench: Callable[..., Bench],
) -> Bench:
    """With a view of its own, and where the agent may not mount."""
    if request.param == "permissions":
        monkeypatch.setattr(view, "available", lambda: False)
        for folder in (tmp_path, *tmp_path.parents):
            folder.chmod(folder.stat().st_mode | 0o001)
        (tmp_path / "state").mkdir()
        (tmp_path / "state").chmod(0o711)  # whatever umask the tests before this one left
    return make_bench(python=Path("/usr/bin/python3"))


def run(bench: Bench, script: str, **limits: float) -> tuple[Cause, str, list[str]]:
    made = bench.order(bench.app(script), limits={"memory_mb": 100, "disk_mb": 50, **limits})
    ended, log = asyncio.run(bench.run(made))
    return ended.cause, ended.message, log


@pytest.mark.parametrize("where", DISK)
def test_an_app_is_held_to_its_disk_wherever_it_writes(bench: Bench, where: str) -> None:
    cause, message, log = run(bench, BEGIN + DISK[where] + "\ntime.sleep(6)")
    assert (cause, "to the disk" in message) == (Cause.APP_ERROR, True), (message, log)


@pytest.mark.parametrize("where", MEMORY)
def test_an_app_is_held_to_its_memory_wherever_it_is(bench: Bench, where: str) -> None:
    cause, message, log = run(bench, BEGIN + MEMORY[where] + "\ntime.sleep(6)", disk_mb=500)
    assert cause is Cause.OUT_OF_MEMORY or "refused" in message, (message, log)


def test_it_is_counted_too_where_root_may_not_look_at_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper then looks as the app's own user."""
    monkeypatch.setattr(supervision, "_SEES_ALL", False)
    cause, message, log = run(bench, BEGIN + MEMORY["in memfd"] + "\ntime.sleep(6)", disk_mb=500)
    assert cause is Cause.OUT_OF_MEMORY, (message, log)


@pytest.mark.parametrize("what", REFUSED)
def test_what_nobody_could_count_is_refused(bench: Bench, what: str) -> None:
    cause, message, log = run(bench, BEGIN + REFUSED[what])
    assert (cause, log) == (Cause.OK, ["-1"]), message


def test_segments_are_counted_and_end_with_the_app_behind_either_wall(walled: Bench) -> None:
    before = Path("/proc/sysvipc/shm").read_text().count("\n")
    cause, message, _ = run(walled, BEGIN + "for _ in range(9):\n    segment(20)\n    time.sleep(0.1)\ntime.sleep(6)")
    assert cause is Cause.OUT_OF_MEMORY or "refused" in message
    assert Path("/proc/sysvipc/shm").read_text().count("\n") == before


def test_nothing_is_left_in_a_folder_that_anybody_may_write_to(bench: Bench) -> None:
    kept = Path("/run") / f"skerry-test-{os.getpid()}"
    kept.mkdir(mode=0o1777)
    try:
        kept.chmod(0o1777)
        cause, _, log = run(bench, f"open({str(kept / 'left')!r}, 'w').write('x')")
        assert cause is Cause.APP_ERROR
        assert "Read-only file system" in log[-1]
        assert not list(kept.iterdir())
    finally:
        kept.rmdir()


def test_an_app_may_share_memory_among_its_processes(walled: Bench) -> None:
    cause, _, log = run(walled, SHARING, memory_mb=600, processes=64, timeout_s=120)
    assert cause is Cause.OK, "\n".join(log)
    each = ["150 150 [0, 0, 0]", "1140"]
    said = [f"{method} {each[0]}" if n == 0 else each[1] for method in ("fork", "spawn", "forkserver") for n in (0, 1)]
    assert log == [*said, "9900", "True True False", "[('a', 1)]", "8 True"]


def test_half_of_its_memory_an_app_may_have_in_dev_shm(bench: Bench) -> None:
    cause, message, _ = run(bench, BEGIN + "fill(os.open('/dev/shm/a', os.O_WRONLY | os.O_CREAT), 48)\ntime.sleep(1)")
    assert cause is Cause.OK, message


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_every_call_that_a_filter_judges_comes_to_an_answer(machine: str) -> None:
    """No jump leads out of the program, which the kernel would refuse as a whole."""
    made = seccomp.program(machine)
    assert made is not None
    steps = [made[at : at + 8] for at in range(0, len(made), 8)]
    for position, step in enumerate(steps):
        assert position + 1 + max(step[2], step[3]) < len(steps) or step[0] == 0x06
    assert steps[-1][0] == 0x06
    assert seccomp.program("s390x") is None
