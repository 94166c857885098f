"""``python -m ganengine`` is ``ganengine``."""

from ganengine.cli import main

if __name__ == "__main__":
    main()
