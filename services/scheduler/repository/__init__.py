"""Where everything of the scheduler is kept: ``ports`` on PostgreSQL."""
