"""The reading room: a FastAPI application of pages, JSON and static files, in two languages."""
