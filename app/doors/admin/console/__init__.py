"""The page of administrators: static files that ask the routes of /admin."""
