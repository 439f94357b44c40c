"""Reports: a certificate as text, tables and Markdown. No arithmetic happens here."""
