"""The campaign: which seeds are run when, and what the ledger says of each."""
