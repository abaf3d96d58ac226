"""The history of the server's schema; run by Alembic as the owner of the database."""
