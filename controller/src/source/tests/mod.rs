//! Sources on servers of this process's own.
