"""The demonstration: a whole Rollcall on one machine, with a morning played on two desks."""
