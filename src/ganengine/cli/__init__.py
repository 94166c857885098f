"""The command line: ``ganengine mnist``, ``train``, ``sample``, ``bench``, ``doctor``."""


def main() -> None:
    """Run the command line, and exit with its code."""
    # Here, so that nobody who imports the package waits for what only the command line needs.
    from ganengine.cli._app import run

    run()
