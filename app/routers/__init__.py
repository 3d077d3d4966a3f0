"""One file per client dialect: credentials, paths and error shape, and no rules."""
