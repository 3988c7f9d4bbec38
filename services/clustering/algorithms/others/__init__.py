"""Other ways to find groups, for comparing with the mixture and for those who know theirs."""
