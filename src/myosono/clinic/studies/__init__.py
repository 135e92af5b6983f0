"""Studies as people see them: worklist, study view, physicians' readings, agreement, drift."""
