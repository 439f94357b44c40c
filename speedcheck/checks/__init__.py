"""The judgement, one question a module: record and statistics in, findings out."""
