"""The half that server and kiosk share: it decides, and does no input or output of its own."""
