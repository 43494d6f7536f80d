"""Steps that are not finite: skipped, recorded, run again."""
