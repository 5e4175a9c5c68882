"""Child processes that may crash or hang, and the shared memory that frames travel through."""
