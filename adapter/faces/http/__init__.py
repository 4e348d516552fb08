"""The HTTP face: what programs see that speak the APIs of model vendors."""
