"""What has an outcome instead of a duration."""
