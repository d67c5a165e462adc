"""What is seen of the service from outside: logs, traces and metrics. Nothing here changes an answer."""
