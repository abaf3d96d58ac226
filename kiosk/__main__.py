"""`python -m kiosk` is the same as `rollcall-kiosk`."""

from kiosk.cli import main

if __name__ == "__main__":
    main()
