"""What the daemon shows to a parent. Knows sessions, never a provider's class."""
