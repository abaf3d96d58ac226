"""All the SQL of the kiosk: one encrypted file, one writer."""
