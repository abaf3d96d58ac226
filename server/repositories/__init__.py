"""All the SQL of the server."""
