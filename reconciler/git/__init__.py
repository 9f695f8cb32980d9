"""What git tells of a checkout: who wrote a line, who let that in, what a revision holds. Changes nothing."""
