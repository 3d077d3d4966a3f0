"""One file a subject: payload, example, function and published text of each action together."""
