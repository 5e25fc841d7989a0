//! Build contexts: what is in them, what `.dockerignore` leaves out, and how they are sent.
