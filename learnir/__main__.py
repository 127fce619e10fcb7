"""``learnir`` and ``python -m learnir``."""

from learnir.console import run


def main() -> None:
    """Entry point of the console script: ``learnir.cli``, with Ctrl-C handled from the start."""
    run("learnir", "learnir.cli")


if __name__ == "__main__":
    main()
