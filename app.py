"""The Hugging Face Space and, started here, the same app at home: python app.py --help."""

from demo.options import parse_options


def main() -> None:
    """Reads the options, builds the interface and serves it until Ctrl-C."""
    options = parse_options()
    from demo.interface import serve

    serve(options)


if __name__ == "__main__":
    main()
