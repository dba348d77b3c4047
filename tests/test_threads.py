"""The thread pool under fork, multiprocessing and Python threads; Ctrl-C; the interpreter lock."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import reggan

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
needs_signals = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")

PREAMBLE = """
import os, signal, threading, traceback
import numpy as np
import reggan

def work(threads=2):
    images, scores = reggan.render(reggan.Circles(), 3000, size=32, with_scores=True, threads=threads)
    assert np.array_equal(reggan.score(images, threads=threads), scores)
    return images.tobytes(), scores.tobytes(), reggan.label(images, threads=threads).tobytes()

def forked(function):
    pid = os.fork()
    if pid == 0:
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid

def finished(pid):
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
"""


def run(script: str, timeout: float = 60) -> str:
    """Run a script in a fresh interpreter; a hang is a failure."""
    code = PREAMBLE + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Fork


@needs_fork
def test_children_of_a_process_that_used_the_pool() -> None:
    run("""
        expected = work()

        def child():
            assert work() == expected
            assert work(threads=5) == expected
            finished(forked(grandchild))

        def grandchild():
            assert work() == expected

        children = [forked(child) for _ in range(3)]
        assert work() == expected
        for pid in children:
            finished(pid)
        assert work() == expected
    """)


@needs_fork
def test_a_child_forked_while_another_thread_is_in_a_kernel() -> None:
    run("""
        expected = work()
        stop = threading.Event()

        def busy():
            while not stop.is_set():
                work()

        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads:
            thread.start()

        def child():
            assert work() == expected

        for _ in range(10):
            finished(forked(child))
        stop.set()
        for thread in threads:
            thread.join()
    """)


@needs_fork
def test_a_process_that_first_uses_the_pool_after_forking() -> None:
    run("""
        pid = forked(work)
        work()
        finished(pid)
    """)


@pytest.mark.skipif(sys.platform != "linux", reason="needs process ids in namespaces")
def test_a_child_with_the_process_id_of_its_parent() -> None:
    output = run("""
        import ctypes

        def forked_into_a_namespace(function):
            CLONE_NEWPID = 0x20000000
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWPID) != 0:
                print("no namespaces:", os.strerror(ctypes.get_errno()), flush=True)
                os._exit(0)
            return forked(function)

        def child():
            assert os.getpid() == 1
            expected = work()

            def grandchild():
                assert os.getpid() == 1
                assert work() == expected
                print("done", flush=True)

            finished(forked_into_a_namespace(grandchild))

        finished(forked_into_a_namespace(child))
    """)
    if output.startswith("no namespaces"):
        pytest.skip(output)
    assert output == "done\n"


@needs_fork
def test_an_array_in_use_during_a_fork_is_said_to_need_a_copy() -> None:
    run("""
        images = np.zeros((100_000, 32, 32), np.uint8)
        images[:, :2, ::2] = 255
        scores, out = reggan.score(images[:3]), np.full(10**7, -1, np.float32)
        endless = np.broadcast_to(images[0], (len(out), 32, 32))
        caller = threading.Thread(target=reggan.score, args=(endless,), kwargs={"out": out, "threads": 1}, daemon=True)
        caller.start()
        while out[0] < 0:
            pass

        def child():
            try:
                reggan.score(images[:3], out=out[:3])
            except RuntimeError as error:
                assert "forked during the call" in str(error), error
            else:
                raise AssertionError("the call was over before the fork")
            assert np.array_equal(reggan.score(images[:3], out=out[:3].copy()), scores)

        finished(forked(child))
    """)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing_workers(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    run(f"""
        import multiprocessing
        from functools import partial
        rng = np.random.default_rng(0)
        batches = [rng.random((2000, 32, 32)).astype(np.float32) for _ in range(4)]
        expected = [reggan.score(batch, threads=2) for batch in batches]
        pictures = reggan.render(reggan.Circles(), 2000, threads=2)
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            found = pool.map(partial(reggan.score, threads=2), batches)
            again = pool.apply(reggan.render, (reggan.Circles(), 2000), dict(threads=2))
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
        assert np.array_equal(again, pictures)
    """)


# Python threads


def test_many_python_threads_at_once() -> None:
    rng = np.random.default_rng(0)
    batches = [rng.random((n, 40, 66)).astype(np.float32) for n in rng.integers(1, 800, 16)]
    expected = [reggan.score(batch, threads=1) for batch in batches]
    pictures = reggan.render(reggan.Circles(), 500, threads=1)
    for threads in (None, 1, 2, 3):
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda batch, k=threads: reggan.score(batch, threads=k), batches * 4))
            drawn = list(pool.map(lambda k: reggan.render(reggan.Circles(), 500, threads=k), [threads] * 8))
        for one, other in zip(found, expected * 4, strict=True):
            np.testing.assert_array_equal(one, other)
        for images in drawn:
            np.testing.assert_array_equal(images, pictures)


# Calls that take minutes, on all cores and more of them than there are: each has written an image, none its last one.
BUSY = textwrap.dedent("""
    images = reggan.render(reggan.Circles(), 50)
    large = np.broadcast_to(np.tile(images[0], (64, 128)), (10**6, 4096, 8192))
    outs = [np.full(len(large), -1, np.float32) for _ in range(3)]
    for out in outs:
        threading.Thread(target=reggan.score, args=(large,), kwargs={"out": out}, daemon=True).start()
    while not all((out >= 0).any() for out in outs):
        pass
""")


def test_a_small_call_does_not_wait_for_large_ones() -> None:
    script = """
        expected = reggan.score(images, threads=1)
        for _ in range(20):
            assert np.array_equal(reggan.score(np.tile(images, (20, 1, 1))), np.tile(expected, 20))
        assert all(out[-1] < 0 for out in outs)
        os._exit(0)
    """
    run(BUSY + textwrap.dedent(script))


@needs_signals
def test_a_call_is_interrupted_while_others_have_all_workers() -> None:
    script = """
        class Alarm(Exception):
            pass

        def ring(number, frame):
            raise Alarm

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            reggan.score(large)
        except Alarm:
            assert all(out[-1] < 0 for out in outs)
            os._exit(0)
        raise SystemExit("the call ended without the exception")
    """
    run(BUSY + textwrap.dedent(script))


def test_errors_of_one_thread_do_not_disturb_another() -> None:
    rng = np.random.default_rng(0)
    good = rng.random((2000, 20, 20)).astype(np.float32)
    bad = good.copy()
    bad[1234, 5, 6] = np.nan
    expected = reggan.score(good, threads=1)

    def score(index: int) -> None:
        if index % 2:
            with pytest.raises(ValueError, match="image 1234 "):
                reggan.score(bad, threads=2)
        else:
            np.testing.assert_array_equal(reggan.score(good, threads=2), expected)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(score, range(40)))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_interpreter_runs_while_a_kernel_does(threads: int) -> None:
    # That this thread sees an `out` with its first score written and its last one not yet is the proof: with
    # the interpreter lock held for the whole call, it could see only all of them or none.
    images = np.broadcast_to(reggan.render(reggan.Circles(), 1)[0], (300_000, 64, 64))
    out = np.empty(len(images), np.float32)
    for _ in range(5):
        out[:] = -1
        caller = threading.Thread(target=reggan.score, args=(images,), kwargs={"out": out, "threads": threads})
        caller.start()
        seen = False
        while caller.is_alive() and not seen:
            seen = bool(out[0] >= 0 and out[-1] < 0)
        caller.join()
        assert (out >= 0).all()
        if seen:
            return
    pytest.fail("no other Python code ran during five calls")


# Ctrl-C

# Each of these takes minutes when nothing stops it, and little memory: the images share their bytes.
LONG_CALLS = {
    "score of many": "reggan.score(np.broadcast_to(images[0], (10**9 // 4, 64, 64)), threads={threads})",
    "analyze of many": "reggan.analyze(np.broadcast_to(images[0], (10**7 * 3, 64, 64)), threads={threads})",
    "score of many large": (
        "reggan.score(np.broadcast_to(np.tile(images[0], (64, 128)), (10**5, 4096, 8192)), threads={threads})"
    ),
    "render of many": "reggan.render(reggan.Circles(), 10**7 * 3, size=8, threads={threads})",
    "render of a large one": (
        "reggan.render(reggan.Circles(blur=(64.0, 64.0)), 1, size=(8192, 8192), threads={threads})"
    ),
}


@needs_signals
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", LONG_CALLS)
def test_ctrl_c_stops_a_call(call: str, threads: int) -> None:
    script = PREAMBLE + textwrap.dedent(f"""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        images = reggan.render(reggan.Circles(), 3)
        expected = work()
        print("ready", flush=True)
        try:
            {LONG_CALLS[call].format(threads=threads)}
        except KeyboardInterrupt:
            assert work() == expected
            print("stopped", flush=True)
        else:
            print("finished", flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.7)
            child.send_signal(signal.SIGINT)
            output, _ = child.communicate(timeout=20)
        finally:
            child.kill()
    assert output == "stopped\n"


@needs_signals
@pytest.mark.parametrize("threads", [1, 2])
def test_an_exception_of_a_signal_handler_is_what_the_caller_sees(threads: int) -> None:
    run(f"""
        class Alarm(Exception):
            pass

        def ring(number, frame):
            raise Alarm

        images = np.broadcast_to(reggan.render(reggan.Circles(), 1), (10**9 // 4, 64, 64))
        work()
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            reggan.score(images, threads={threads})
        except Alarm:
            work()
        else:
            raise SystemExit("the call ended without the exception")
    """)


@needs_signals
def test_a_signal_handler_that_returns_lets_the_call_finish() -> None:
    run("""
        rings = []
        images = np.broadcast_to(reggan.render(reggan.Circles(), 1), (300_000, 64, 64))
        signal.signal(signal.SIGALRM, lambda number, frame: rings.append(number))
        for threads in (1, 2):
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            scores = reggan.score(images, threads=threads)
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert (scores == scores[0]).all() and scores[0] > 0
        assert rings
    """)


def test_an_array_that_another_thread_writes_is_said() -> None:
    images = np.empty((200_000, 32, 32), np.uint8)
    with ThreadPoolExecutor() as pool:
        rendered = pool.submit(reggan.render, reggan.Circles(), len(images), size=32, out=images, threads=1)
        time.sleep(0.1)
        with pytest.raises(RuntimeError, match="already borrowed by a call in another thread"):
            reggan.score(images[:3])
        rendered.result()
    reggan.score(images[:3])
