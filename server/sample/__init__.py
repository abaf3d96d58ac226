"""An invented centre to try the system with; nobody in it exists."""
