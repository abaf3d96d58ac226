"""The authoritative side of Rollcall: HTTP and socket doors over PostgreSQL."""
