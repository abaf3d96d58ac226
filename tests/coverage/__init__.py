"""Whether the tests of each module of the sync core reach every branch of it."""
