"""What every part of the server stands on and what knows nothing of child care."""
