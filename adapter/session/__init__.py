"""Sessions: the machine, the turns and the registry. Knows providers only by their base class, faces only by a sink."""
