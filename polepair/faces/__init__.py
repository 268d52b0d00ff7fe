"""What shows a motor: the report, and CAD and film by programs in processes of their own."""
