"""The Agent Client Protocol: what an editor that speaks it sees."""
