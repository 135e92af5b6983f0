"""Stored image files: content-addressed, on disk before they are acknowledged; uploads and archives within limits."""
