"""Group membership, and everybody's status, as an export of the identity provider tells them. Reads only."""
