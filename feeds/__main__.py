"""``tickerplant``, and ``python -m feeds``, which is the same."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback while it is still being loaded, too."""
    try:
        from feeds.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
