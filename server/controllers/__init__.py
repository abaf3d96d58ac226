"""The doors of the server, one for each noun: no rules, no SQL."""
