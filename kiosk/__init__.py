"""The desk: it finds, checks in and checks out with no network, and syncs when there is one."""
