"""A contestant in a process of its own, so that no framework can disturb another.

The two processes speak through pipes, one pickled tuple per message. The parent sends the variant,
the problem and the processors to use; then ``("losses",)``, ``("run", steps)``,
``("peak", seconds)`` and ``("about",)``, and closes the pipe at the end. Each is answered by
``("ok", value)`` or ``("error", text)``.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, BinaryIO

from ganengine.bench.problem import Problem
from ganengine.bench.variant import Variant

_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GANENGINE_NUM_THREADS"),
)
_FRAMEWORK_VARIABLES = {
    # A compiler server of PyTorch's would stay behind and take processor time.
    "cpu": {"TORCHINDUCTOR_COMPILE_THREADS": "1"},
    # There are several on the GPU, so none may take all of its memory.
    "cuda": {"TORCHINDUCTOR_COMPILE_THREADS": "4", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
}


class WorkerError(RuntimeError):
    """The contestant failed, or its process ended or went silent."""


class Worker:
    """The parent's handle on one contestant's process.

    Args:
        variant: what to build.
        problem: the step.
        processors: the numbers of the processors it may use; as many threads.
        folders: where the modules of the variant and of the problem are, if they are no packages.
        timeout: seconds to wait for any answer.
    """

    def __init__(
        self,
        variant: Variant,
        problem: Problem,
        processors: Sequence[int],
        *,
        folders: Sequence[str] = (),
        timeout: float = 600.0,
    ):
        self.variant = variant
        self.timeout = timeout
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (close() closes it)
        threads = dict.fromkeys(_THREAD_VARIABLES, str(len(processors)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ganengine.bench.worker", *folders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **threads, **_FRAMEWORK_VARIABLES[variant.device]},
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        try:
            self.chunk: int = self._ask((variant, problem, tuple(processors)))
        except WorkerError:
            self.close()
            raise

    @property
    def process_id(self) -> int:
        """The process's number."""
        return self._process.pid

    def losses(self) -> Any:
        """The losses of the check's steps, (steps, 2)."""
        return self._ask(("losses",))

    def run(self, steps: int) -> float:
        """Take ``steps`` steps (a multiple of ``chunk``); the seconds that took."""
        return float(self._ask(("run", steps)))

    def peak(self, seconds: float) -> float:
        """The measured peak of what this process computes on, FLOP/s."""
        return float(self._ask(("peak", seconds)))

    def about(self) -> dict[str, Any]:
        """What one step of this engine is, if that is the contestant."""
        about: dict[str, Any] = self._ask(("about",))
        return about

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):  # it ended with a message half written
                    pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _ask(self, message: tuple[Any, ...]) -> Any:
        inbox, outbox = self._process.stdout, self._process.stdin
        assert inbox is not None
        assert outbox is not None
        try:
            pickle.dump(message, outbox)
            outbox.flush()
            with selectors.DefaultSelector() as ready:
                ready.register(inbox, selectors.EVENT_READ)
                if not ready.select(self.timeout):
                    self._process.kill()
                    raise WorkerError(f"no answer within {self.timeout:.0f} s")
            status, value = pickle.load(inbox)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise WorkerError(f"the process ended: {self._last_words()}") from error
        if status == "error":
            raise WorkerError(value)
        return value

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


def main() -> None:
    """The process: answer messages until the parent closes the pipe."""
    sys.path += sys.argv[1:]
    inbox = sys.stdin.buffer
    outbox = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a framework may print what it likes
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        _serve(inbox, outbox)


def _serve(inbox: BinaryIO, outbox: BinaryIO) -> None:
    def receive() -> Any:
        return pickle.load(inbox)

    def answer(status: str, value: Any) -> None:
        pickle.dump((status, value), outbox)
        outbox.flush()

    variant, problem, processors = receive()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, processors)
    threads = len(processors)
    try:
        # What is timed is what was checked, but for dropout: masks cannot be compared.
        checked = variant.build(problem.without_dropout(), threads)
        timed = variant.build(problem, threads) if problem.has_dropout else checked
        answer("ok", timed.chunk)
    except Exception as error:
        answer("error", _describe(error))
        return
    while True:
        name, *arguments = receive()
        try:
            if name == "losses":
                answer("ok", checked.losses())
            elif name == "run":
                start = time.perf_counter()
                timed.run(*arguments)
                answer("ok", time.perf_counter() - start)
            elif name == "peak":
                from ganengine.bench.peak import peak

                answer("ok", peak(variant.device, *arguments))
            elif name == "about":
                answer("ok", timed.about())
        except Exception as error:
            answer("error", _describe(error))


def _describe(error: Exception) -> str:
    first_line = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"


if __name__ == "__main__":
    main()
