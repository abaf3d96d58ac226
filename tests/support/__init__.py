"""What several tests share: clocks, databases, worlds."""
