"""One module a group of pages, each with a ``router``. `app.create_app` includes all that it finds here."""
