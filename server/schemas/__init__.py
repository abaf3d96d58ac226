"""The shapes of the HTTP API: what may be sent, and what is answered; a table never leaves by this door."""
