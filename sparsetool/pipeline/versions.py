"""Versions of what a result depends on."""

from importlib.metadata import PackageNotFoundError, version


def installed_versions(*packages: str) -> dict[str, str | None]:
    """Version of each package, None for one that is not installed."""
    return {package: _version(package) for package in packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
