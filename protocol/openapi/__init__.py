"""The OpenAPI document of the HTTP face, served as `/openapi.json`: every endpoint, header, request and error.

Of the requests it has what we read; the vendors' documentation has the rest, which is passed over. Pure. Imported by
the HTTP face.
"""

from protocol.openapi.document import document

__all__ = ["document"]
