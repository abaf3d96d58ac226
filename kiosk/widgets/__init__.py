"""The parts of which screens are made: one file each."""
