"""`rollcall-kiosk`, and `python -m kiosk`."""

import gc
import sys

# A start makes hundreds of thousands of objects that stay. To look through all of them again after each 700 new ones,
# as Python does when nothing is said, is a fifth of the whole start.
gc.set_threshold(50_000, 20, 50)

from kiosk.showing import plain_wish, show_desk  # noqa: E402 - what is loaded here is what the line above is for


def main() -> None:
    """Start the program; the library of the command line is read for all but the everyday start of a desk."""
    wish = plain_wish(sys.argv[1:])
    if wish is not None:
        show_desk(wish)
        return
    from kiosk.cli import app

    app()


if __name__ == "__main__":
    main()
