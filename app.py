"""The Hugging Face Space and, started here, the same app at home: python app.py --help."""

from demo.options import parse_options


def main() -> None:
    """Reads the options, builds the interface and serves it until Ctrl-C."""
    options = parse_options()
    try:
        from demo.interface import serve

        serve(options)
    except ModuleNotFoundError as error:
        raise SystemExit(f"app.py: {error}; run: pip install -r requirements.txt") from None
    except KeyboardInterrupt:
        raise SystemExit("app.py: stopped before it was ready") from None


if __name__ == "__main__":
    main()
