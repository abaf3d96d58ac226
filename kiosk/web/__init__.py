"""The desk in a browser: the same program, drawn by a page that this machine serves."""
