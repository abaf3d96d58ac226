"""What a person sees and presses: one file per screen."""
