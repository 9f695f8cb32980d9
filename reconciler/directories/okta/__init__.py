"""Group membership, and everybody's status, as Okta's management API tells them. Reads only."""
