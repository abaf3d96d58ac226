"""`python -m server` is `rollcall-server`."""

from server.cli import main

if __name__ == "__main__":
    main()
