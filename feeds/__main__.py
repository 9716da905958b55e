"""``python -m feeds`` is ``tickerplant``."""

from feeds.cli import main

if __name__ == "__main__":
    main()
