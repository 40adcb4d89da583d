//! Evenkeel: a Layer-7 load-balancing reverse proxy.
