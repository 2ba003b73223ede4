"""What a package registers that is neither a source nor a verb."""

NUMBER = 3
