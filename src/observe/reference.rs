//! The reference pages, held to the tables that they come from.
