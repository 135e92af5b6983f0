"""The web application: pages, JSON API, live events; all assets are in the package."""
