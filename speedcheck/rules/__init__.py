"""What a record must show: the rules that a project writes down."""
