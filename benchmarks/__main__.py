"""``learnir-bench`` and ``python -m benchmarks``."""

from learnir.console import run


def main() -> None:
    """Entry point of the console script: ``benchmarks.cli``, see ``learnir.console``."""
    run("learnir-bench", "benchmarks.cli")


if __name__ == "__main__":
    main()
