"""Records to tables and pages: reads asv's results and the outcome records, nothing else."""
