"""What the service speaks about. Every constraint stands here once, as a type."""
