"""What has happened (facts), who reads of it (consumers), and what time brings about (chores)."""
