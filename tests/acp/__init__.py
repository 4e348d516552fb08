"""The ACP face, seen from the editor's side."""
