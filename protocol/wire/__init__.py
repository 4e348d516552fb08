"""Foreign dialects in their own names. Unknown fields are kept or ignored, never refused."""
