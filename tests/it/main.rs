//! Evenkeel as users see it: the real proxy between real sockets.
//!
//! One module a feature. Each promise has a test of what must happen and of what must not.

#![expect(
    clippy::disallowed_methods,
    reason = "scripts and clients block, on threads and a clock of their own"
)]

mod actions;
mod addresses;
mod auth;
mod balancing;
mod binds;
mod bodies;
mod capture;
mod cli;
mod compression;
mod conditions;
mod connection_rules;
mod connections;
mod content_rules;
mod cors;
mod deadlines;
mod descriptors;
mod endings;
mod error_pages;
mod fields;
mod forward_auth;
mod forwarding;
mod grpc;
mod h2_attacks;
mod h2_clients;
mod h2_conformance;
mod h2_servers;
mod health;
mod interim;
mod jwt;
mod lifecycle;
mod listeners;
mod logs;
mod observing;
mod proxy_protocol;
mod recipes;
mod refusals;
mod regression;
mod reload;
mod retries;
mod rig;
mod routes;
mod rules;
mod server_sets;
mod server_settings;
mod set_timeout;
mod slow_peers;
mod state;
mod tables;
mod tcp;
mod tls;
mod tls_servers;
mod tunnels;
mod tunnels_h2;
mod use_backend;
mod use_server;
mod wait_for_body;
