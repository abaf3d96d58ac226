"""`rollcall-server`, and `python -m server`."""

import gc

# A start makes hundreds of thousands of objects that stay. To look through all of them again after each 700 new ones,
# as Python does when nothing is said, is a fifth of the whole start.
gc.set_threshold(50_000, 20, 50)

from server.cli import main  # noqa: E402 - what is loaded here is what the line above is for

if __name__ == "__main__":
    main()
