"""Telling people what a run came to, after it is over: by Slack, and by a signed webhook."""
