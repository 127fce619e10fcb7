"""``learnir`` and ``python -m learnir``."""

from learnir.console import run


def main() -> None:
    """Entry point of the console script: ``learnir.cli``, Ctrl-C minded while it is imported."""
    run("learnir", "learnir.cli")


if __name__ == "__main__":
    main()
