"""Pure, stateful translators between a foreign dialect (`protocol.wire`) and our events and signals."""
