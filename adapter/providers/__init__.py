"""One adapter per coding-agent CLI, behind the abstract `ProviderAdapter`. Knows no session and no face."""

PROVIDERS = ("claude",)
"""The names of those that `app.build_providers` builds, for who tells them before they are imported."""
