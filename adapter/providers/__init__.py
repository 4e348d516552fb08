"""One adapter per coding-agent CLI, behind the abstract `ProviderAdapter`. Knows no session and no face."""
