"""What turns: the pump that steps the market and writes what it gave, and what all connections share."""
