"""``faceshadow`` and ``python -m dataset_tools``."""

from learnir.console import run


def main() -> None:
    """Entry point of the console script: ``dataset_tools.cli``, see ``learnir.console``."""
    run("faceshadow", "dataset_tools.cli")


if __name__ == "__main__":
    main()
