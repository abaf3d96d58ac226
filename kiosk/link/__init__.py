"""The link to the server: dial, drive the session, back off; knows no screen."""
