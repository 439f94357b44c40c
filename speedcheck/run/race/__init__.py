"""`speedcheck race`: two trainers in turn on this machine."""
