"""The use-cases of the server: one public method, one transaction."""
