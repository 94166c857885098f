"""The command line: ``ganengine`` with a command such as ``mnist``, ``train`` or ``doctor``."""

import sys

from ganengine.cli._signals import Interrupted, interruptible


def main() -> None:
    """Run the command line, and exit with its code."""
    try:
        with interruptible():
            # Here, so that nobody who imports the package waits for what only a command needs.
            from ganengine.cli._app import run

            run()
    except Interrupted as interruption:
        if words := str(interruption):
            from ganengine.cli._console import errors, say

            say(errors(), words)
        sys.exit(interruption.exit_code)
