"""Group membership, and everybody's accounts, as Microsoft Graph tells them of Entra ID. Reads only."""
