"""Use-cases of the desk; they know no screen and no SQL."""
